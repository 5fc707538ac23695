/** temp */
import { join } from "@std/path";
import { createHash } from "node:crypto";
import type { Repository, Tree, TreeFile } from "../../rules/tree/tree.ts";
export function openRepository(dir: string): Repository {
  const cache = new Map<string, TreeFile | null>();
  const head: Tree = {
    name: dir,
    read(path) {
      const k = cache.get(path);
      if (k !== undefined) return k;
      let f: TreeFile | null = null;
      try {
        const text = Deno.readTextFileSync(join(dir, path));
        f = { path, text, blob: createHash("sha1").update(text).digest("hex") };
      } catch { /* */ }
      cache.set(path, f);
      return f;
    },
    list(folder) {
      try {
        return [...Deno.readDirSync(join(dir, folder))].filter((e) => e.isFile).map((e) =>
          `${folder}/${e.name}`
        ).sort();
      } catch {
        return [];
      }
    },
  };
  return { name: dir, head, at: () => null, blob: () => null };
}
