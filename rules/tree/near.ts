/**
 * The files of the tree that a patch's files refer to: headers that define their structs, sources that define the
 * helpers they call or that give the fields they use an address. Looked for in the headers that they include, in
 * their own folder, and in the folders of those headers. Sketches and parsed files are remembered by blob id, so the
 * patches of a series, and its versions, share them.
 *
 * @module
 */

import { type Expr, type Stmt, walkExpr, walkStmt } from "../engine/ast.ts";
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

/** A parsed file, and the helpers in it that were kept because somebody calls them. */
interface Parsed {
  readonly source: SourceFile | null;
  readonly calls: ReadonlySet<string>;
}

/** The name of a function, of its text: what stands before the first parenthesis. */
const nameOf = (text: string) => /([A-Za-z_]\w*)\s*\(/.exec(text)?.[1] ?? "";

/** Makes one, with nothing remembered yet. */
export function createNeighbourhood(concerns: (code: string) => boolean): Neighbourhood {
  const sketches = new Map<string, Sketch>();
  const parsed = new Map<string, Parsed>();

  const sketchOf = (file: TreeFile): Sketch => {
    let found = sketches.get(file.blob);
    if (found === undefined) sketches.set(file.blob, found = sketch(file.path, file.text, concerns));
    return found;
  };
  const parse = (file: TreeFile, calls: ReadonlySet<string>, read: ReadFile): SourceFile | null => {
    // The path is part of what is parsed: one content may lie in two places.
    const key = `${file.blob} ${file.path}`;
    const known = parsed.get(key);
    const wanted = [...sketchOf(file).functions].filter((name) => calls.has(name));
    let found = known !== undefined && wanted.every((name) => known.calls.has(name)) ? known : null;
    if (found === null) {
      const names = new Set([...known?.calls ?? [], ...wanted]);
      const matters = (text: string) =>
        concerns(text) || (text.length < MAX_ACCESSOR_TEXT && names.has(nameOf(text)));
      found = { source: read(unchanged(file.path, file.text), "new", matters), calls: names };
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
      const take = (file: TreeFile, isHeader: boolean): boolean => {
        if (own.has(file.path) || found.has(file.path) || found.size >= MAX_PARSED) return false;
        const source = offers(sketchOf(file), wanted, isHeader) ? parse(file, wanted.calls, read) : null;
        if (source === null) return false;
        found.set(file.path, source);
        // The struct behind a field leads on to those that it is made of.
        if (isHeader) wantFieldTypes(source, wanted);
        return true;
      };
      for (let isNew = true; isNew;) {
        isNew = false;
        for (const file of headers) isNew = take(file, true) || isNew;
      }
      for (const file of sourcesNear(files, headers, tree)) take(file, false);
      return [...found.values()];
    },
  };
}

function offers({ functions, structs, fields }: Sketch, wanted: Wanted, isHeader: boolean): boolean {
  const meets = (names: ReadonlySet<string>, those: ReadonlySet<string>) =>
    [...(names.size < those.size ? names : those)].some((name) => names.has(name) && those.has(name));
  return meets(functions, wanted.calls) ||
    (isHeader ? meets(structs, wanted.structs) : meets(fields, wanted.fields));
}

const STRUCT_NAME = /\b(?:struct|union) (\w+)/g;

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
    for (const { name } of file.functions) calls.delete(name);
  }
  const wanted = { calls, structs, fields };
  for (const file of files) wantFieldTypes(file, wanted);
  return wanted;
}

/** Adds the types of those fields of a file's structs that somebody uses. */
function wantFieldTypes(file: SourceFile, wanted: Wanted): void {
  for (const { fields } of file.unit.structs) {
    for (const { name, type } of fields) {
      if (!wanted.fields.has(name)) continue;
      for (const [, struct] of type.matchAll(STRUCT_NAME)) wanted.structs.add(struct!);
    }
  }
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
