/**
 * Which mappings may stand behind a check, a sync or a release: those of the same handle that reach it on some path
 * with no other mapping of the handle between. Knows no kernel function by name.
 *
 * @module
 */

import type { At } from "../engine/ast.ts";
import { type CfgNode, search } from "../engine/cfg.ts";
import type { Fact } from "../engine/fact.ts";
import type { FunctionView } from "../engine/source.ts";
import { flow, general, mentions } from "./flow.ts";
import { consistent } from "./failure.ts";
import { handling, type Mapping, type Use_ } from "./mappings.ts";

/** A mapping that reaches a use of its handle. */
export interface Source {
  readonly mapping: Mapping;
  /** A hole lies on the shortest way: the handle may have been set anew there. */
  readonly viaHole: boolean;
}

/** A use of a handle with all mappings of this function that may have made it. */
export interface Pair {
  readonly use: Use_;
  readonly kind: "check" | "sync" | "release";
  /** At least one. */
  readonly sources: readonly Source[];
  /** The entry reaches the use without any of them: the handle may come from elsewhere. */
  readonly isOpen: boolean;
}

/** The same name for a table, its list and its address; array elements count as one. */
export const handleKey = (handle: string): string =>
  general(handle.replace(/^&/, "").replace(/(?:->|\.)sgl$/, "").replace(/->/g, "."));

/** Derives them from what the function handles. */
export const pairs: Fact<readonly Pair[], FunctionView> = {
  name: "pairs",
  derive(fn, use) {
    const { mappings, releases, syncs, checks } = use(handling, fn);
    const values = use(flow, fn);
    const keyed = mappings.filter((m) => m.handle !== null && /[A-Za-z_]/.test(m.handle))
      .map((mapping) => ({ mapping, key: handleKey(mapping.handle!) }));
    const out: Pair[] = [];
    const add = (list: readonly Use_[], kind: Pair["kind"]) => {
      for (const one of list) {
        if (one.handle === null) continue;
        const key = handleKey(one.handle);
        const own = keyed.filter((m) => m.key === key);
        if (own.length === 0) continue;
        const root = /[A-Za-z_]\w*/.exec(one.handle)?.[0] ?? "";
        // Helpers that get the handle's address may set it.
        const setters = new Set(
          values.calls.filter(({ call, api }) =>
            api === null &&
            call.args.some((arg) =>
              arg.kind === "unary" && arg.op === "&" && handleKey(values.canonical(arg)) === key
            )
          ).map(({ node }) => node),
        );
        const written = new Set(setters);
        for (const s of values.stores) {
          if (handleKey(s.place) === key || (s.place === root && mentions(one.handle, root))) {
            written.add(s.node);
          }
        }
        const sets = (node: CfgNode) => written.has(node);
        const sources: Source[] = [];
        for (const { mapping } of own) {
          const others = new Set(own.filter((m) => m.mapping !== mapping).map((m) => m.mapping.node));
          const found = search(
            mapping.node,
            (node) => node === one.node ? "hit" : others.has(node) || sets(node) ? "stop" : "go",
            consistent(values.cfg, mapping.node, fn.file),
          );
          if (found.hit === null && mapping.node !== one.node) continue;
          sources.push({ mapping, viaHole: found.path.some((node) => node.kind === "hole") });
        }
        if (sources.length === 0) continue;
        const all = new Set(own.map((m) => m.mapping.node));
        const open = search(
          values.cfg.entry,
          (node) => node === one.node ? "hit" : all.has(node) ? "stop" : "go",
        );
        if (open.hit !== null && setters.size > 0) continue;
        out.push({ use: one, kind, sources, isOpen: open.hit !== null });
      }
    };
    add(checks, "check");
    add(syncs, "sync");
    add(releases, "release");
    return out;
  },
};

/** Of two places that do not fit together, the one that the patch brought. */
export function broughtIn(fn: FunctionView, first: At, second: At): At {
  return !fn.file.isChanged(first) && fn.file.isChanged(second) ? second : first;
}
