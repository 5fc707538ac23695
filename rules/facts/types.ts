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

/** What is declared in some files. */
class Declared {
  readonly globals = new Map<string, Declarator>();
  private readonly fields = new Set<string>();
  private readonly structs = new Map<string, Map<string, Declarator>>();
  /** By name of struct, the files that hold one unparsed. */
  private readonly lazy = new Map<string, SourceFile[]>();
  private readonly files = new Set<SourceFile>();

  add(file: SourceFile): void {
    for (const { name, fields } of file.unit.structs) if (name !== "") this.declare(name, fields);
    for (const name of file.lazyStructs.names) this.lazy.set(name, [...this.lazy.get(name) ?? [], file]);
    this.files.add(file);
    this.addGlobals(file);
  }

  addGlobals(file: SourceFile): void {
    for (const global of file.unit.globals) this.globals.set(global.name, global);
  }

  struct(name: string): ReadonlyMap<string, Declarator> | null {
    const files = this.lazy.get(name);
    if (files !== undefined) {
      this.lazy.delete(name);
      for (const file of files) this.declare(name, file.lazyStructs.get(name) ?? []);
    }
    return this.structs.get(name) ?? null;
  }

  has(name: string): boolean {
    return this.structs.has(name) || this.lazy.has(name);
  }

  hasField(name: string): boolean {
    return this.fields.has(name) || [...this.files].some((file) => file.lazyStructs.hasField(name));
  }

  private declare(name: string, declared: readonly Declarator[]): void {
    const fields = this.structs.get(name) ?? new Map<string, Declarator>();
    for (const field of declared) {
      fields.set(field.name, field);
      this.fields.add(field.name);
    }
    this.structs.set(name, fields);
  }
}

const isHeader = (file: SourceFile) => !/\.c$/.test(file.path);

/** What the headers of a side declare, and the variables of all its files. */
const shared: Fact<Declared, Side> = {
  name: "shared types",
  derive({ files, context }) {
    const all = new Declared();
    for (const file of [...context, ...files]) {
      if (isHeader(file)) all.add(file);
      else all.addGlobals(file);
    }
    return all;
  },
};

/** Collects them for one file. */
export const types: Fact<Types, SourceFile> = {
  name: "types",
  derive(file, use) {
    const others = use(shared, use.side);
    const own = new Declared();
    if (!isHeader(file)) {
      // What an earlier patch of the series showed of the same file.
      for (const other of use.side.context) if (other.path === file.path) own.add(other);
      own.add(file);
    }
    return {
      struct: (name) => own.struct(name) ?? others.struct(name),
      isOwn: (name) => own.has(name),
      global: (name) => own.globals.get(name) ?? others.globals.get(name) ?? null,
      hasField: (name) => own.hasField(name) || others.hasField(name),
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
