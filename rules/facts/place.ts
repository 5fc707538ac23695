/**
 * Where in the kernel tree a file stands, as far as rules care: the code that implements the DMA API looks wrong on
 * purpose, test code is not run on hardware.
 *
 * @module
 */

import type { SourceFile } from "../engine/source.ts";
import {
  DMAENGINE_PATHS,
  ENDPOINT_PATHS,
  IMPLEMENTATION_PATHS,
  isUnder,
  MAPPER_PATHS,
  NARROW_PATHS,
  PHYSICAL_FILE,
  PHYSICAL_PATHS,
  TEST_FILE,
  TEST_PATHS,
  WIDE_PATHS,
} from "../kernel/names.ts";

/** Whether the file implements what the rules are about, or is no driver code at all. */
export function isImplementation(file: SourceFile): boolean {
  return isUnder(file.path, IMPLEMENTATION_PATHS) || isTest(file);
}

/** Whether the file implements the DMA API or an IOMMU, or is no driver code: a narrower circle. */
export function isMapper(file: SourceFile): boolean {
  return isUnder(file.path, MAPPER_PATHS) || isTest(file);
}

/** Whether the file is a test, a sample or a tool. */
export function isTest(file: SourceFile): boolean {
  return isUnder(file.path, TEST_PATHS) || TEST_FILE.test(file.path);
}

/** Whether the file is a DMA engine provider, which maps the FIFOs of other devices by design. */
export function isDmaEngine(file: SourceFile): boolean {
  return isUnder(file.path, DMAENGINE_PATHS);
}

/** Whether the file talks to hardware or firmware that takes CPU physical addresses by its architecture. */
export function takesPhysical(file: SourceFile): boolean {
  return isUnder(file.path, PHYSICAL_PATHS) || PHYSICAL_FILE.test(file.path);
}

/** Whether the file is only built where DMA and physical addresses have 64 bits. */
export function isAlwaysWide(file: SourceFile): boolean {
  return isUnder(file.path, WIDE_PATHS);
}

/** Whether the file is only built where DMA and physical addresses have 32 bits. */
export function isAlwaysNarrow(file: SourceFile): boolean {
  return isUnder(file.path, NARROW_PATHS);
}

/** Whether the file is a PCI host or endpoint controller: its windows take CPU physical addresses. */
export function isController(file: SourceFile): boolean {
  return isUnder(file.path, ENDPOINT_PATHS);
}

/** Whether nothing of the file is hidden: it is one of its own, or the patch shows nothing but added lines. */
export function isAllShown(file: SourceFile): boolean {
  const [hunk, ...more] = file.diff.hunks;
  return file.isWhole ||
    (hunk !== undefined && more.length === 0 && hunk.lines.every(({ kind }) => kind === "added"));
}
