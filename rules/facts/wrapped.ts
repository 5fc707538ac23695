/**
 * What the helpers that a function calls do with the DMA API, in the function's own terms: `foo_map(bo, attach->dev)`
 * maps for `attach->dev` when foo_map() maps for its second parameter. One level deep, and only helpers that are shown.
 *
 * @module
 */

import type { Call } from "../engine/ast.ts";
import type { Fact, Side } from "../engine/fact.ts";
import type { FunctionView } from "../engine/source.ts";
import { rootOf } from "./device.ts";
import { flow, inCaller } from "./flow.ts";
import { named } from "./known.ts";
import { handling, type Use_ } from "./mappings.ts";
import type { Step } from "./origin.ts";

/** A use of the DMA API behind a call. */
export interface Wrapped {
  /** The call of the helper. */
  readonly call: Call;
  /** What the helper does. */
  readonly inner: Use_;
  /** The device that it is done for, in the caller's normal form. */
  readonly device: string;
  /** Where in the helper. */
  readonly step: Step;
}

/** The functions of a side and its surroundings by name. */
const helpers: Fact<ReadonlyMap<string, readonly { readonly fn: FunctionView }[]>, Side> = {
  name: "helpers",
  derive({ files, context }) {
    const all = new Map<string, { fn: FunctionView }[]>();
    for (const file of [...files, ...context]) {
      for (const fn of file.functions) {
        if (fn.isNamed) all.set(fn.name, [...(all.get(fn.name) ?? []), { fn }]);
      }
    }
    return all;
  },
};

/** What the helpers map and release, in the order of the calls. */
export const wrapped: Fact<readonly Wrapped[], FunctionView> = {
  name: "wrapped",
  derive(fn, use) {
    const values = use(flow, fn);
    const out: Wrapped[] = [];
    for (const { call, api } of values.calls) {
      const list = api === null ? use(helpers, use.side).get(call.name) : undefined;
      const helper = list === undefined ? undefined : named(list, fn.file)?.fn;
      if (helper === undefined || helper === fn) continue;
      const params = helper.node.params.map(({ name }) => name);
      const args = call.args.map((arg) => values.canonical(arg));
      const { mappings, releases } = use(handling, helper);
      for (const inner of [...mappings, ...releases]) {
        // A device of the helper's own is nobody's that the caller could name.
        if (inner.device === null || !params.includes(rootOf(inner.device))) continue;
        const step = {
          file: helper.file,
          at: inner.call,
          note: `\`${helper.name}()\` does it for \`${inner.device}\``,
        };
        out.push({ call, inner, device: inCaller(inner.device, params, args), step });
      }
    }
    return out;
  },
};
