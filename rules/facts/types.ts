/**
 * The C types that a patch shows: structs with their fields, and variables at file level.
 *
 * @module
 */

import type { Declarator } from "../engine/ast.ts";
import type { Fact, Side } from "../engine/fact.ts";
import { FIELD_TYPES } from "../kernel/shape.ts";

/** Types visible on one side of a patch. */
export interface Types {
  /** Struct name to its shown fields. */
  readonly structs: ReadonlyMap<string, ReadonlyMap<string, Declarator>>;
  readonly globals: ReadonlyMap<string, Declarator>;
  /** Every field name of a shown struct. */
  readonly fieldNames: ReadonlySet<string>;
}

/** Collects them over all files of the side. */
export const types: Fact<Types, Side> = {
  name: "types",
  derive(side) {
    const structs = new Map<string, Map<string, Declarator>>();
    const globals = new Map<string, Declarator>();
    const fieldNames = new Set<string>();
    for (const file of side.files) {
      for (const node of file.unit.structs) {
        if (node.name === "") continue;
        const fields = structs.get(node.name) ?? new Map<string, Declarator>();
        for (const field of node.fields) {
          fields.set(field.name, field);
          fieldNames.add(field.name);
        }
        structs.set(node.name, fields);
      }
      for (const global of file.unit.globals) globals.set(global.name, global);
    }
    return { structs, globals, fieldNames };
  },
};

/** The declaration of `field` in an object of type `type`: as the patch shows it, else as the kernel has it. */
export function fieldType(types: Types, type: string | null, field: string): Declarator | null {
  const name = type === null ? null : /^(?:struct|union) (\w+)/.exec(type)?.[1] ?? null;
  if (name === null) return null;
  const shown = types.structs.get(name)?.get(field);
  if (shown !== undefined) return shown;
  const known = FIELD_TYPES.get(`${name}.${field}`);
  return known === undefined
    ? null
    : { name: field, type: known, isMmio: false, init: null, start: 0, end: 0 };
}
