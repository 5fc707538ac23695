/**
 * The findings that are known already, in a file that is reviewed like code: one line each, sorted, without line
 * numbers and dates, so that its diff shows what came and what went. Pure.
 *
 * @module
 */

import type { Confidence, FileDiff, Finding, Hunk, Report } from "../rules/engine/types.ts";
import { type Json, JsonText } from "./json_text.ts";
import { printableJson } from "./render/printable.ts";
import { CONFIDENCES } from "./settings.ts";

/** A finding that is known. All but the fingerprint is for the reader, and for telling whether it is stale. */
export interface Known {
  readonly path: string;
  /** "" at file level. */
  readonly function: string;
  readonly rule: string;
  /** The line of code, white space folded. */
  readonly text: string;
  readonly confidence: Confidence;
  readonly fingerprint: string;
}

/** What a run made of a baseline. */
export interface Sifted {
  /** Findings that were left out of the reports. */
  readonly hidden: number;
  /** Known findings that the run must have come upon and did not, sorted. */
  readonly stale: readonly Known[];
  /** What is known after the run: what was found, and what the run could not have come upon; sorted. */
  readonly next: readonly Known[];
  /** Those of `next` that were not known before the run. */
  readonly added: number;
}

const SCHEMA = "p2plint-baseline/1";
const KEYS = ["path", "function", "rule", "text", "confidence", "fingerprint"] as const;
const FINGERPRINT = /^[0-9a-f]{20}$/;

/**
 * Reads a baseline.
 *
 * @param name The file's name, for complaints
 * @throws {UsageError} If it is no baseline
 */
export async function readBaseline(text: string, name: string): Promise<Known[]> {
  const json = new JsonText(text, name);
  const members = await json.members(json.root, "", ["schema", "findings"]);
  const schema = members.get("schema");
  if (schema === undefined) throw json.wrong(json.root, "", `has no "schema", as a baseline has`);
  json.choice(schema.value, "schema", [SCHEMA]);
  const findings = members.get("findings");
  if (findings === undefined) throw json.wrong(json.root, "", 'has no "findings"');
  const known: Known[] = [];
  for (const [index, item] of json.items(findings.value, "findings").entries()) {
    known.push(await readKnown(json, item, `findings[${index}]`));
  }
  return known;
}

async function readKnown(json: JsonText, item: Json, path: string): Promise<Known> {
  const members = await json.members(item, path, KEYS);
  const value = (key: typeof KEYS[number]) => {
    const member = members.get(key);
    if (member === undefined) throw json.wrong(item, path, `lacks "${key}"`);
    return { path: `${path}.${key}`, value: member.value };
  };
  const text = (key: typeof KEYS[number]) => {
    const member = value(key);
    return json.string(member.value, member.path, "a string");
  };
  const fingerprint = text("fingerprint");
  if (!FINGERPRINT.test(fingerprint)) {
    throw json.wrong(value("fingerprint").value, `${path}.fingerprint`, "is not 20 hex digits");
  }
  const confidence = value("confidence");
  return {
    path: text("path"),
    function: text("function"),
    rule: text("rule"),
    text: text("text"),
    confidence: json.choice(confidence.value, confidence.path, CONFIDENCES),
    fingerprint,
  };
}

/** The text of a baseline: the same for the same findings, in whatever order they came. */
export function printBaseline(known: readonly Known[]): string {
  const rows = sorted(known).map((one) =>
    printableJson(Object.fromEntries(KEYS.map((key) => [key, one[key]])))
  );
  const list = rows.length === 0 ? "[]" : `[\n${rows.map((row) => `  ${row}`).join(",\n")}\n]`;
  return `{\n"schema": ${JSON.stringify(SCHEMA)},\n"findings": ${list}\n}\n`;
}

const folded = (text: string) => text.replace(/\s+/g, " ").trim();

const toKnown = ({ at, rule, confidence, fingerprint, function: fn }: Finding): Known => ({
  path: at.path,
  function: fn,
  rule,
  text: folded(at.text),
  confidence,
  fingerprint,
});

// Code unit order: the same on every machine, whatever its locale.
function sorted(known: readonly Known[]): Known[] {
  return known.toSorted((a, b) => {
    const key = KEYS.find((key) => a[key] !== b[key]);
    return key === undefined ? 0 : a[key] < b[key] ? -1 : 1;
  });
}

/**
 * Sifts the reports of a run by a baseline. What the run does not come upon is stale only where it must have come upon
 * it: a patch shows a few lines of a file, and a finding in the others is as it was.
 */
export class Baseline {
  private readonly known: ReadonlyMap<string, Known>;
  /** Known findings by file. */
  private readonly byPath: ReadonlyMap<string, readonly Known[]>;
  private readonly found = new Map<string, Known>();
  private readonly allowed = new Set<string>();
  /** Fingerprints of known findings that the run must have come upon. */
  private readonly covered = new Set<string>();
  private readonly paths = new Set<string>();
  private hidden = 0;

  /**
   * @param isLooked Whether the run looks for such findings at all: their rule is on for their file, their
   * confidence is not below what is reported
   * @param isNew What the run finds becomes known, and is hidden as well
   */
  constructor(
    known: readonly Known[],
    private readonly isLooked: (known: Known) => boolean,
    private readonly isNew: boolean,
  ) {
    this.known = new Map(known.map((one) => [one.fingerprint, one]));
    this.byPath = Map.groupBy(this.known.values(), ({ path }) => path);
  }

  /**
   * The report without the findings that are known.
   *
   * @param whole Paths of files that were judged as they lie there, apart from those of the patch
   */
  sift(report: Report, whole: readonly string[] = []): Report {
    const findings = report.findings.filter((finding) => {
      this.found.set(finding.fingerprint, toKnown(finding));
      return !this.isNew && !this.known.has(finding.fingerprint);
    });
    this.hidden += report.findings.length - findings.length;
    // Still there, whatever a comment says of it.
    for (const { finding } of report.suppressed) this.allowed.add(finding.fingerprint);
    for (const path of whole) this.cover(report, path, () => true);
    for (const file of report.patch.files) {
      this.cover(report, file.newPath ?? "", (known) => mustShow(report, file, known));
    }
    return { ...report, findings };
  }

  private cover(report: Report, path: string, isShown: (known: Known) => boolean): void {
    const here = this.byPath.get(path);
    if (here === undefined) return;
    this.paths.add(path);
    // What was not judged, or not to the end, proves nothing.
    if (report.faults.length > 0 || report.unseen.some(({ what }) => what.startsWith(path))) return;
    for (const known of here) if (isShown(known)) this.covered.add(known.fingerprint);
  }

  /** Says that every file of a folder was judged, so that what is known of others below it is of files that are gone. */
  survey(folder: string): void {
    for (const [path, known] of this.byPath) {
      if (this.paths.has(path) || !(folder === "" || path.startsWith(`${folder}/`))) continue;
      for (const { fingerprint } of known) this.covered.add(fingerprint);
    }
  }

  end(): Sifted {
    const stale = sorted(
      [...this.known.values()].filter((one) =>
        this.covered.has(one.fingerprint) && !this.found.has(one.fingerprint) &&
        !this.allowed.has(one.fingerprint) && this.isLooked(one)
      ),
    );
    const next = new Map([...this.known, ...this.found]);
    for (const { fingerprint } of stale) next.delete(fingerprint);
    return {
      hidden: this.hidden,
      stale,
      next: sorted([...next.values()]),
      added: [...this.found.keys()].filter((fingerprint) => !this.known.has(fingerprint)).length,
    };
  }
}

/**
 * Whether the report had to have a finding, if it were still one. A file that is judged as it lies there shows all.
 * Of a file that a patch changes only what the patch introduces is reported: the line must be among those that it
 * adds to the function, and must not have stood somewhere before, since moved code is old code.
 */
function mustShow({ patch }: Report, file: FileDiff, known: Known): boolean {
  if (file.hunks.length === 0 || !file.hunks.every((hunk) => hunk.whole)) return false;
  const isPatch = file.origin === "diff" || file.origin === "quote";
  if (!isPatch && file.hunks.every(({ lines }) => lines.every(({ kind }) => kind === "added"))) return true;
  return file.hunks.some((hunk) => adds(hunk, known)) &&
    !patch.files.some(({ hunks }) =>
      hunks.some(({ lines }) =>
        lines.some(({ kind, text }) => kind !== "added" && folded(text) === known.text)
      )
    );
}

/** Whether a hunk adds a line to a function, as far as the hunk tells what function it is. */
function adds(hunk: Hunk, known: Known): boolean {
  let head = hunk.section;
  for (const { kind, text } of hunk.lines) {
    if (kind === "removed") continue;
    if (kind === "added" && folded(text) === known.text && isHeadOf(known.function, head)) return true;
    // Kernel coding style: a definition starts and ends at column 0, and so does a label.
    if (/^[A-Za-z_](?!\w*\s*:)/.test(text) || text.startsWith("}")) head = text;
  }
  return false;
}

/** Whether the head of a definition is that of the function; "" is none. */
function isHeadOf(fn: string, head: string): boolean {
  const names = [...head.matchAll(/\b([A-Za-z_]\w*)\s*\(/g)].map(([, name]) => name);
  return fn === "" ? names.length === 0 : names.includes(fn);
}
