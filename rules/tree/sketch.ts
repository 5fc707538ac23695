/**
 * What a file offers to others, told from its text without parsing it: the functions and structs that it defines, the
 * fields that it gives an address, the headers that it includes. An index is made of these; a name too many costs a
 * look, never a finding. Knows no kernel function by name. Pure.
 *
 * @module
 */

/** The names in one file. */
export interface Sketch {
  /** Functions with a body that other files may call. */
  readonly functions: ReadonlySet<string>;
  readonly structs: ReadonlySet<string>;
  /** Fields that are set, or handed out to be set, in a statement that is of interest. */
  readonly fields: ReadonlySet<string>;
  /** Headers as written between the quotes or brackets, in their order. */
  readonly includes: readonly string[];
}

// Kernel coding style: a definition starts at column 0, its arguments hold no brace.
const FUNCTION = /^((?:[A-Za-z_][\w \t*]*?[ \t*])?)([A-Za-z_]\w*)\([^;{}]{0,600}\)\s*\{/gm;
const STRUCT = /^[ \t]*(?:typedef\s+)?(?:struct|union)\s+(\w+)\s*\{/gm;
const INCLUDE = /^[ \t]*#[ \t]*include[ \t]*[<"]([^>"\n]+)[>"]/gm;
const FIELD_SET = /(?:->|\.)(\w+)\s*=(?!=)/g;
const FIELD_GIVEN = /&[\w.>\[\]-]*?(?:->|\.)(\w+)\s*[,)]/g;
/** Characters of a statement that are looked at; longer ones are tables. */
const MAX_STATEMENT = 400;

/**
 * Sketches a file.
 *
 * @param concerns Whether code is of interest: names a function or type that has to do with addresses
 */
export function sketch(path: string, text: string, concerns: (code: string) => boolean): Sketch {
  const isHeader = path.endsWith(".h");
  const functions = new Set<string>();
  for (const [, before, name] of text.matchAll(FUNCTION)) {
    if (isHeader || !/\bstatic\b/.test(before!)) functions.add(name!);
  }
  return {
    functions,
    structs: new Set(Array.from(text.matchAll(STRUCT), ([, name]) => name!)),
    fields: concerns(text) ? fieldsIn(text, concerns) : new Set(),
    includes: Array.from(text.matchAll(INCLUDE), ([, header]) => header!),
  };
}

function fieldsIn(text: string, concerns: (code: string) => boolean): Set<string> {
  const fields = new Set<string>();
  let from = 0;
  for (let end = text.indexOf(";"); end !== -1; end = text.indexOf(";", end + 1)) {
    const statement = text.slice(Math.max(from, end - MAX_STATEMENT), end + 1);
    from = end + 1;
    if (!/->|\./.test(statement) || !concerns(statement)) continue;
    for (const [, name] of statement.matchAll(FIELD_SET)) fields.add(name!);
    for (const [, name] of statement.matchAll(FIELD_GIVEN)) fields.add(name!);
  }
  return fields;
}
