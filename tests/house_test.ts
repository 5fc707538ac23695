/**
 * The house rules: who may import whom, who may touch the world, and that every rule has what a rule must have.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import { rules } from "../rules/mod.ts";
import { stalePages } from "./tools/docs.ts";

const ROOT = new URL("../", import.meta.url);

/** A layer: the first row whose folder or file holds a source decides. */
interface Layer {
  /** A folder with a trailing slash, or a file. */
  readonly where: string;
  /** Folders and files that may be imported, from the root of the project. */
  readonly may: readonly string[];
  /** Exceptions to `may`. */
  readonly never?: readonly string[];
  /** What may be imported as types only. */
  readonly mayTypes?: readonly string[];
}

const LAYERS: readonly Layer[] = [
  { where: "rules/kernel/", may: ["rules/kernel/"] },
  { where: "rules/engine/", may: ["rules/engine/"], mayTypes: ["rules/kernel/types.ts", "rules/model/"] },
  { where: "rules/facts/", may: ["rules/engine/", "rules/kernel/", "rules/facts/"] },
  { where: "rules/tree/", may: ["rules/engine/", "rules/tree/"] },
  {
    where: "rules/model/",
    may: ["rules/model/", "rules/engine/version.ts"],
    mayTypes: ["rules/kernel/types.ts"],
  },
  { where: "rules/mod.ts", may: ["rules/"] },
  {
    where: "rules/",
    may: ["rules/engine/", "rules/facts/", "rules/kernel/"],
    // A rule reads no diff and no mail: it asks facts.
    never: [
      "rules/engine/diff.ts",
      "rules/engine/hunk.ts",
      "rules/engine/mail.ts",
      "rules/engine/mailbox.ts",
      "rules/engine/series.ts",
      "rules/engine/syntax.ts",
    ],
  },
  { where: "bot/render/", may: ["bot/render/", "rules/model/"], mayTypes: ["rules/engine/"] },
  { where: "bot/source/", may: ["bot/source/", "bot/ports.ts", "rules/engine/", "rules/tree/"] },
  { where: "bot/sink/", may: ["bot/sink/", "bot/ports.ts"] },
  { where: "bot/ports.ts", may: [], mayTypes: ["rules/engine/types.ts"] },
  {
    where: "bot/watch.ts",
    may: ["bot/", "rules/"],
    // What is outside comes through a port.
    never: ["bot/main.ts", "bot/source/", "bot/sink/", "bot/journal_sqlite.ts", "bot/wiring.ts"],
  },
  { where: "bot/main.ts", may: ["bot/", "deno.json"] },
  { where: "bot/", may: ["bot/", "rules/", "deno.json"], never: ["bot/main.ts"] },
  { where: "mod.ts", may: ["rules/", "bot/main.ts"] },
];

interface Source {
  /** From the root of the project. */
  readonly path: string;
  /** Without comments. */
  readonly code: string;
  readonly imports: readonly { readonly from: string; readonly isType: boolean }[];
}

const IMPORT =
  /\b(?:import|export)\s+(type\s)?[\w\s{},*]*?\bfrom\s+"([^"]+)"|\bimport\(\s*"([^"]+)"|^import\s+"([^"]+)"/gm;

/** Comments may name what code may not. A comment sign inside a string costs the rest of the string, no more. */
function stripComments(text: string): string {
  return text.replace(/\/\*[^]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

function* sourcesIn(folder: string): Generator<Source> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder || ".", ROOT))) {
    const path = folder + name;
    if (isDirectory) yield* sourcesIn(`${path}/`);
    else if (name.endsWith(".ts")) yield readSource(path);
  }
}

function readSource(path: string): Source {
  const code = stripComments(Deno.readTextFileSync(new URL(path, ROOT)));
  const imports = [...code.matchAll(IMPORT)].map(([, type, named, lazy, bare]) => {
    const from = named ?? lazy ?? bare!;
    return {
      from: from.startsWith(".") ? new URL(from, new URL(path, ROOT)).href.slice(ROOT.href.length) : from,
      isType: type !== undefined,
    };
  });
  return { path, code, imports };
}

const SOURCES: readonly Source[] = [...sourcesIn("rules/"), ...sourcesIn("bot/"), readSource("mod.ts")];

const covers = (places: readonly string[], path: string) =>
  places.some((place) => place.endsWith("/") ? path.startsWith(place) : path === place);

const isOurs = (from: string) => /^(?:rules|bot|tests)\/|^(?:mod\.ts|deno\.json)$/.test(from);

Deno.test("the layer table names folders and files that exist", () => {
  for (const { where, may, never = [], mayTypes = [] } of LAYERS) {
    for (const place of [where, ...may, ...never, ...mayTypes]) Deno.statSync(new URL(place, ROOT));
  }
});

Deno.test("nobody imports what the layer table does not allow", () => {
  const wrong: string[] = [];
  for (const { path, imports } of SOURCES) {
    const layer = LAYERS.find(({ where }) => covers([where], path));
    if (layer === undefined) {
      wrong.push(`${path} belongs to no layer`);
      continue;
    }
    for (const { from, isType } of imports) {
      if (!isOurs(from)) continue;
      const isAllowed = covers(layer.may, from) && !covers(layer.never ?? [], from);
      if (!isAllowed && !(isType && covers(layer.mayTypes ?? [], from))) {
        wrong.push(`${path} imports ${from}`);
      }
    }
  }
  deepEqual(wrong, []);
});

Deno.test("each npm package stands behind one file", () => {
  const users = new Map<string, Set<string>>();
  for (const { path, imports } of SOURCES) {
    for (const { from } of imports) {
      // The standard library is no outside code.
      if (isOurs(from) || from.startsWith("node:") || from.startsWith("@std/")) continue;
      users.set(from, (users.get(from) ?? new Set()).add(path));
    }
  }
  const shared = [...users].filter(([, paths]) => paths.size > 1);
  deepEqual(shared.map(([name, paths]) => [name, ...paths]), []);
});

Deno.test("nothing under rules/ touches the world", () => {
  const world =
    /\bDeno\.|\bfetch\(|\bconsole\.|\bDate\.now\b|\bnew Date\(\)|\bperformance\.|\bset(?:Timeout|Interval)\(|\bMath\.random\b|\bprocess\./;
  const wrong = SOURCES.filter(({ path }) => path.startsWith("rules/"))
    .flatMap(({ path, code }) =>
      code.split("\n").filter((line) => world.test(line)).map((line) => [path, line])
    );
  deepEqual(wrong, []);
});

Deno.test("only bot/main.ts ends the process", () => {
  const wrong = SOURCES.filter(({ path, code }) => path !== "bot/main.ts" && /\bDeno\.exit/.test(code));
  deepEqual(wrong.map(({ path }) => path), []);
});

Deno.test("every source file opens with a module comment", () => {
  const wrong = SOURCES.filter(({ path }) => {
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    return !text.startsWith("/**") || !/^ \* @module$/m.test(text.slice(0, text.indexOf("*/")));
  });
  deepEqual(wrong.map(({ path }) => path), []);
});

Deno.test("file names are snake_case, rules are kebab-case", () => {
  const wrong = SOURCES.map(({ path }) => path).filter((path) => {
    const isRule = /^rules\/[^/]+\.ts$/.test(path);
    return !(isRule ? /\/[a-z0-9-]+\.ts$/ : /(?:^|\/)[a-z0-9_]+\.ts$/).test(path);
  });
  deepEqual(wrong, []);
});

Deno.test("the catalogue holds every rule file, sorted by id, ids and codes once each", () => {
  const stems = [...Deno.readDirSync(new URL("rules/", ROOT))].map(({ name }) => name)
    .filter((name) => name.endsWith(".ts") && name !== "mod.ts").map((name) => name.slice(0, -".ts".length));
  deepEqual(rules.map(({ id }) => id), stems.sort());
  equal(new Set(rules.map(({ code }) => code)).size, rules.length);
});

Deno.test("every rule has a fresh page", () => {
  deepEqual(stalePages(), []);
});

Deno.test("every fixture folder belongs to a rule", () => {
  const folder = new URL("fixtures/rules/", ROOT);
  let names: string[] = [];
  try {
    names = [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    // Examples may be all that the rules need.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const ids = new Set(rules.map(({ id }) => id));
  deepEqual(names.filter((name) => !ids.has(name)), []);
});

Deno.test("messages and summaries are lower case and end without a full stop", () => {
  const wrong: string[] = [];
  for (const { id, summary, unless, messages } of rules) {
    for (const text of [summary, unless, ...Object.values(messages)]) {
      // A word with an underscore or a second capital is a name of the kernel, which keeps its case.
      if (/^[A-Z][a-z]*(?![\w]*[A-Z_])\b/.test(text) || /[.!?]$/.test(text)) wrong.push(`${id}: ${text}`);
    }
  }
  deepEqual(wrong, []);
});

Deno.test("the tests in a browser go by the same packages and options as the rest", async () => {
  const read = async (path: string) => JSON.parse(await Deno.readTextFile(new URL(path, ROOT)));
  const [ours, theirs] = await Promise.all([read("deno.json"), read("tests/browser/deno.json")]);
  // A browser's driver and axe are for these tests only: who runs p2plint does not fetch them.
  const { "playwright-core": _driver, "axe-core": _axe, ...imports } = theirs.imports;
  deepEqual(imports, ours.imports);
  deepEqual(theirs.compilerOptions, ours.compilerOptions);
});
