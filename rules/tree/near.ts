/**
 * The files of the tree that a patch's files refer to: headers that define their structs, sources that define the
 * helpers they call or that give the fields they use an address. Looked for in the headers that they include, in
 * their own folder, and in the folders of those headers. Sketches and parsed files are remembered by blob id, so the
 * patches of a series, and its versions, share them.
 *
 * @module
 */

import { type Expr, type Stmt, walkExpr, walkStmt } from "../engine/ast.ts";
import { functionsIn, headingName, structsIn } from "../engine/idle.ts";
import type { ReadFile } from "../engine/lint.ts";
import type { SourceFile } from "../engine/source.ts";
import { type Sketch, sketch } from "./sketch.ts";
import type { Tree, TreeFile } from "./tree.ts";
import { unchanged } from "./widen.ts";

/** Finds and parses what is near. */
export interface Neighbourhood {
  /** Files of `tree` that the given ones refer to; those themselves are not among them. */
  of(files: readonly SourceFile[], tree: Tree, read: ReadFile): readonly SourceFile[];
}

/** Headers looked at for one side of a patch, and how far from its own includes. */
const MAX_HEADERS = 400;
const MAX_DEPTH = 3;
/** Sources looked at, and files parsed, for one side of a patch. */
const MAX_SOURCES = 800;
const MAX_PARSED = 40;
/** Parsed files that are remembered. */
const MAX_REMEMBERED = 96;
/** A helper shorter than this is read when it is called, whatever it is about: `return bo->base + offset;`. */
const MAX_ACCESSOR_TEXT = 400;

/** What the functions of some files ask of others. */
interface Wanted {
  readonly calls: Set<string>;
  readonly structs: Set<string>;
  readonly fields: Set<string>;
}

/** A parsed file, and what of it was kept: the helpers that somebody calls, what sets the fields that somebody uses. */
interface Parsed {
  readonly source: SourceFile | null;
  readonly calls: ReadonlySet<string>;
  readonly fields: ReadonlySet<string>;
}

/** Makes one, with nothing remembered yet. */
export function createNeighbourhood(concerns: (code: string) => boolean): Neighbourhood {
  const sketches = new Map<string, Sketch>();
  const blocks = new Map<string, readonly Block[]>();
  const parsed = new Map<string, Parsed>();

  const sketchOf = (file: TreeFile): Sketch => {
    let found = sketches.get(file.blob);
    if (found === undefined) sketches.set(file.blob, found = sketch(file.path, file.text, concerns));
    return found;
  };
  const blocksOf = (file: TreeFile): readonly Block[] => {
    let found = blocks.get(file.blob);
    if (found === undefined) blocks.set(file.blob, found = blocksIn(file.text));
    return found;
  };
  /** Adds the types of those fields of a header's wanted structs that somebody uses. */
  const wantFieldTypes = (file: TreeFile, { structs, fields: used }: Wanted): void => {
    for (const { names, fields } of blocksOf(file)) {
      if (!names.some((name) => structs.has(name))) continue;
      for (const { types, words } of fields) {
        if (words.some((word) => used.has(word))) { for (const type of types) structs.add(type); }
      }
    }
  };
  const parse = (file: TreeFile, wanted: Wanted, read: ReadFile): SourceFile | null => {
    // The path is part of what is parsed: one content may lie in two places.
    const key = `${file.blob} ${file.path}`;
    const offered = sketchOf(file);
    const calls = offered.functions.intersection(wanted.calls);
    const fields = offered.fields.intersection(wanted.fields);
    let found = parsed.get(key);
    if (found === undefined || !calls.isSubsetOf(found.calls) || !fields.isSubsetOf(found.fields)) {
      const names = calls.union(found?.calls ?? NOTHING);
      const isCalled = ({ name, text }: { name: string; text: string }) =>
        names.has(name) && (text.length < MAX_ACCESSOR_TEXT || concerns(text));
      // An accessor returns a field that a third function sets.
      const returned = new Set(
        functionsIn(file.text).filter(isCalled).flatMap(({ text }) =>
          Array.from(text.matchAll(FIELD), ([, field]) => field!)
        ),
      );
      const set = fields.union(found?.fields ?? NOTHING);
      const all = set.union(offered.fields.intersection(returned));
      const mentions = all.size === 0 ? null : new RegExp(`(?:->|\\.)(?:${[...all].join("|")})\\b`);
      const matters = (text: string) =>
        isCalled({ name: headingName(text), text }) || (mentions?.test(text) === true && concerns(text));
      const selection = { matters, concerns, isReference: true };
      found = {
        source: read(unchanged(file.path, file.text), "new", selection),
        calls: names,
        fields: set,
      };
    }
    parsed.delete(key); // to be put last again
    parsed.set(key, found);
    if (parsed.size > MAX_REMEMBERED) parsed.delete(parsed.keys().next().value!);
    return found.source;
  };

  return {
    of(files, tree, read) {
      const own = new Set(files.map(({ path }) => path));
      const wanted = wantedBy(files);
      const headers = headersOf(files, tree, sketchOf);
      const found = new Map<string, SourceFile>();
      const take = (file: TreeFile): boolean => {
        if (own.has(file.path) || found.has(file.path) || found.size >= MAX_PARSED) return false;
        const source = offers(sketchOf(file), wanted, isHeader(file.path)) ? parse(file, wanted, read) : null;
        if (source === null) return false;
        found.set(file.path, source);
        return true;
      };
      for (let size = -1; size !== wanted.structs.size + found.size;) {
        size = wanted.structs.size + found.size;
        for (const file of headers) {
          // The struct behind a field leads on to those that it is made of.
          if (take(file) || found.has(file.path)) wantFieldTypes(file, wanted);
        }
      }
      for (const file of sourcesNear(files, headers, tree)) take(file);
      return [...found.values()];
    },
  };
}

const NOTHING: ReadonlySet<string> = new Set();
const FIELD = /(?:->|\.)(\w+)/g;

const isHeader = (path: string) => path.endsWith(".h");

function offers({ functions, structs, fields }: Sketch, wanted: Wanted, isHeader: boolean): boolean {
  return !functions.isDisjointFrom(wanted.calls) ||
    !(isHeader ? structs.isDisjointFrom(wanted.structs) : fields.isDisjointFrom(wanted.fields));
}

const STRUCT_NAME = /\b(?:struct|union) (\w+)/g;
const STRUCT_BLOCK = /^(?:typedef\s+)?(?:struct|union)\b[^;=(){}]*\{[^]*?^\}/gm;
const WORD = /\w+/g;

/** A struct of a header: its name and those of the structs within it, and its fields that are structs themselves. */
interface Block {
  readonly names: readonly string[];
  readonly fields: readonly { readonly types: readonly string[]; readonly words: readonly string[] }[];
}

function blocksIn(text: string): readonly Block[] {
  return Array.from(text.matchAll(STRUCT_BLOCK), ([block]) => ({
    names: structsIn(block),
    fields: block.split("\n").slice(1).flatMap((line) => {
      const types = Array.from(line.matchAll(STRUCT_NAME), ([, name]) => name!);
      return types.length === 0 ? [] : [{ types, words: line.match(WORD) ?? [] }];
    }),
  }));
}

/** The names that the functions of these files use and that may be explained elsewhere. */
function wantedBy(files: readonly SourceFile[]): Wanted {
  const calls = new Set<string>();
  const structs = new Set<string>();
  const fields = new Set<string>();
  const type = (text: string) => {
    for (const [, name] of text.matchAll(STRUCT_NAME)) structs.add(name!);
  };
  const expr = (top: Expr) =>
    walkExpr(top, (e) => {
      if (e.kind === "call" && e.name !== "") calls.add(e.name);
      else if (e.kind === "member") fields.add(e.field);
      else if (e.kind === "cast") type(e.type);
    });
  const stmt = (s: Stmt) => {
    if (s.kind === "decl") { for (const name of s.names) type(name.type); }
  };
  for (const file of files) {
    for (const { node } of file.functions) {
      type(node.returns);
      for (const param of node.params) type(param.type);
      walkStmt(node.body, { expr, stmt });
    }
    for (const { type: of } of file.unit.globals) type(of);
    for (const { name } of file.functions) calls.delete(name);
  }
  for (const { unit } of files) {
    for (const { name, type: of } of unit.structs.flatMap((struct) => struct.fields)) {
      if (fields.has(name)) type(of);
    }
  }
  return { calls, structs, fields };
}

const folderOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf("/")));

/** `a/b/../c` without the dots; null when it leads out of the tree. */
function normal(path: string): string | null {
  const out: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") out.push(part);
    else if (out.pop() === undefined) return null;
  }
  return out.join("/");
}

/** The kernel's own interfaces are in the tables; the headers of a subsystem or a driver are not. */
const isGeneral = (header: string) =>
  /^(?:(?:linux|asm|asm-generic|net|trace|generated)\/[^/]+|uapi\/.*)$/.test(header);

/** Finds a header the way the kernel's build does: beside the file, under include/, or by a `-I` of the driver. */
function resolve(header: string, from: string, tree: Tree): TreeFile | null {
  const folder = folderOf(from);
  const above = folderOf(folder);
  for (
    const place of [
      `${folder}/${header}`,
      `include/${header}`,
      `${above}/${header}`,
      `${folder}/include/${header}`,
      `${above}/include/${header}`,
    ]
  ) {
    const path = normal(place);
    const file = path === null ? null : tree.read(path);
    if (file !== null) return file;
  }
  return null;
}

/** The headers that the files include, and those that these include. */
function headersOf(
  files: readonly SourceFile[],
  tree: Tree,
  sketchOf: (file: TreeFile) => Sketch,
): TreeFile[] {
  const found = new Map<string, TreeFile>();
  let layer = files.flatMap((file) => file.includes.map(({ header }) => ({ header, from: file.path })));
  for (let depth = 0; depth < MAX_DEPTH && layer.length > 0; depth++) {
    const next: typeof layer = [];
    for (const { header, from } of layer) {
      if (isGeneral(header) || found.size >= MAX_HEADERS) continue;
      const file = resolve(header, from, tree);
      if (file === null || found.has(file.path)) continue;
      found.set(file.path, file);
      next.push(...sketchOf(file).includes.map((name) => ({ header: name, from: file.path })));
    }
    layer = next;
  }
  return [...found.values()];
}

/** The sources of the driver: of the files' folders, and of those that the driver's own headers lie in. */
function* sourcesNear(
  files: readonly SourceFile[],
  headers: readonly TreeFile[],
  tree: Tree,
): Generator<TreeFile> {
  // A driver of one file has no header of its own, and its neighbours are strangers.
  const own = headers.filter(({ path }) => !path.startsWith("include/"));
  if (own.length === 0) return;
  const folders = new Set([...files, ...own].map(({ path }) => folderOf(path)));
  const names = new Set(own.map(({ path }) => path.slice(path.lastIndexOf("/") + 1)));
  let looked = 0;
  for (const folder of folders) {
    for (const path of tree.list(folder)) {
      if (!path.endsWith(".c")) continue;
      if (looked++ >= MAX_SOURCES) return;
      const file = tree.read(path);
      // A source that shares no header with the driver is another driver's.
      if (file !== null && [...names].some((name) => file.text.includes(name))) yield file;
    }
  }
}
