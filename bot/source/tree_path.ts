/**
 * Paths in a tree, as strangers write them.
 *
 * @module
 */

import { isHostilePath } from "../../rules/engine/diff_path.ts";

/** Larger files are tables that a program wrote: the largest source by hand has 1 MB, AMD's register headers 24 MB. */
export const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** Texts that are remembered, in bytes: a tenth of the kernel. */
export const MAX_HELD_BYTES = 128 * 1024 * 1024;

/** Whether a path names something below the root and is written in the one way that git writes it. */
export const isTreePath = (path: string): boolean =>
  path.length <= 4096 && !isHostilePath(path) && !path.includes("//") && !path.endsWith("/");

/** `drivers/net/a.c` → `drivers/net`; "" for a file in the root. */
export const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));

/** The path of a file in a folder; the root's name is "". */
export const pathIn = (folder: string, name: string): string => folder === "" ? name : `${folder}/${name}`;
