/**
 * The C types that a file sees: structs with their fields, and variables at file level. A struct of a `.c` file is
 * that file's own; headers are everybody's.
 *
 * @module
 */

import type { Declarator } from "../engine/ast.ts";
import type { Fact, Side } from "../engine/fact.ts";
import type { SourceFile } from "../engine/source.ts";
import { FIELD_TYPES } from "../kernel/shape.ts";

/** Types visible in one file. */
export interface Types {
  /** The shown fields of a struct by name; null when the struct is not shown. */
  struct(name: string): ReadonlyMap<string, Declarator> | null;
  /** Whether the struct is defined in a `.c` file: nobody else has one like it. */
  isOwn(name: string): boolean;
  /** A variable at file level; null when it is not shown. */
  global(name: string): Declarator | null;
  /** Whether any shown struct has a field of this name. */
  hasField(name: string): boolean;
}

type Structs = Map<string, Map<string, Declarator>>;

/** What is declared in some files. */
interface Declared {
  readonly structs: Structs;
  readonly globals: Map<string, Declarator>;
  readonly fields: Set<string>;
}

const nothing = (): Declared => ({ structs: new Map(), globals: new Map(), fields: new Set() });

function declare(file: SourceFile, into: Declared): void {
  for (const node of file.unit.structs) {
    if (node.name === "") continue;
    const fields = into.structs.get(node.name) ?? new Map<string, Declarator>();
    for (const field of node.fields) {
      fields.set(field.name, field);
      into.fields.add(field.name);
    }
    into.structs.set(node.name, fields);
  }
  for (const global of file.unit.globals) into.globals.set(global.name, global);
}

const isHeader = (file: SourceFile) => !/\.c$/.test(file.path);

/** What the headers of a side declare, and the variables of all its files. */
const shared: Fact<Declared, Side> = {
  name: "shared types",
  derive({ files, context }) {
    const all = nothing();
    for (const file of [...context, ...files]) {
      if (isHeader(file)) declare(file, all);
      else for (const global of file.unit.globals) all.globals.set(global.name, global);
    }
    return all;
  },
};

/** Collects them for one file. */
export const types: Fact<Types, SourceFile> = {
  name: "types",
  derive(file, use) {
    const others = use(shared, use.side);
    const own = nothing();
    if (!isHeader(file)) {
      // What an earlier patch of the series showed of the same file.
      for (const other of use.side.context) if (other.path === file.path) declare(other, own);
      declare(file, own);
    }
    return {
      struct: (name) => own.structs.get(name) ?? others.structs.get(name) ?? null,
      isOwn: (name) => own.structs.has(name),
      global: (name) => own.globals.get(name) ?? others.globals.get(name) ?? null,
      hasField: (name) => own.fields.has(name) || others.fields.has(name),
    };
  },
};

/** The declaration of `field` in an object of type `type`: as the patch shows it, else as the kernel has it. */
export function fieldType(types: Types, type: string | null, field: string): Declarator | null {
  const name = type === null ? null : /^(?:struct|union) (\w+)/.exec(type)?.[1] ?? null;
  if (name === null) return null;
  const shown = types.struct(name)?.get(field);
  if (shown !== undefined) return shown;
  const known = FIELD_TYPES.get(`${name}.${field}`);
  return known === undefined
    ? null
    : { name: field, type: known, isMmio: false, init: null, start: 0, end: 0 };
}
