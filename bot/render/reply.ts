/**
 * The reply to a patch: the lines in question quoted, the remark below them, as a reviewer writes. Text in, text out:
 * no clock, no random numbers, so the same patch gives the same mail to the byte. Pure.
 *
 * @module
 */

import type { Address, Finding, Hunk, Line, Mail, Patch } from "../../rules/engine/types.ts";
import { mailUrl } from "./archive.ts";
import { addressField, encodeAddress, encodeDate, encodeText, field, isAscii } from "./header.ts";
import { onMachines } from "../../rules/model/on_machines.ts";
import { machinesSentence } from "./machines.ts";
import { printable, printableLines } from "./printable.ts";
import { wrap } from "./wrap.ts";

/** A finding, and when it was said before. */
export interface Remark {
  readonly finding: Finding;
  /** null: it is new. */
  readonly since: { readonly version: number; readonly messageId: string } | null;
}

/** Everything a reply is made of. */
export interface ReplyParts {
  readonly patch: Patch;
  /** In order of the mail. */
  readonly remarks: readonly Remark[];
  /** What an earlier version had and the series has no more. */
  readonly gone: readonly { readonly rule: string; readonly path: string; readonly version: number }[];
  /** Patches of the series with findings that get no mail of their own. */
  readonly unsaid: number;
  readonly to: readonly Address[];
  readonly cc: readonly Address[];
  readonly bot: {
    readonly name: string;
    readonly address: string;
    readonly home: string | null;
    readonly archive: string;
  };
  readonly messageId: string;
  /** Milliseconds of the epoch. */
  readonly date: number;
  readonly toolVersion: string;
  /** The release that the patches are judged for; null: the newest. */
  readonly kernel: string | null;
}

/** A gap that costs no more than saying that there is one. */
const MAX_GAP = 2;
/** A statement that is longer is cut. */
const MAX_STATEMENT = 8;
/** Remarks of one mail; the rest is counted. */
const MAX_REMARKS = 6;
const MAX_EVIDENCE = 6;
/** A line must leave room below the 998 of RFC 5322 2.1.1. */
const MAX_QUOTED = 900;
/** Ids in References: the root and the nearest ones, as RFC 5537 3.4.4 trims them. */
const MAX_REFERENCES = 12;

/** Head and body, LF line ends, ASCII or UTF-8. */
export function replyText(parts: ReplyParts): string {
  const body = bodyOf(parts);
  return [...headOf(parts, isAscii(body)), "", body].join("\n");
}

function headOf(
  { patch: { mail }, remarks, to, cc, bot, messageId, date, toolVersion }: ReplyParts,
  is7bit: boolean,
) {
  const subject = mail.subject.text;
  return [
    field("From", [encodeAddress({ name: bot.name, address: bot.address })]),
    addressField("To", to),
    ...(cc.length > 0 ? [addressField("Cc", cc)] : []),
    field("Subject", encodeText(/^re:/i.test(subject) ? subject : `Re: ${subject}`).split(" ")),
    field("Date", [encodeDate(date)]),
    field("Message-ID", [`<${messageId}>`]),
    field("In-Reply-To", [`<${mail.messageId}>`]),
    field("References", references(mail, mail.messageId!)),
    field("Auto-Submitted", ["auto-replied"]),
    field("X-P2plint", [`version=${toolVersion}`, `findings=${remarks.length}`]),
    field("MIME-Version", ["1.0"]),
    field("Content-Type", ["text/plain;", "charset=utf-8"]),
    field("Content-Transfer-Encoding", [is7bit ? "7bit" : "8bit"]),
  ];
}

/** RFC 5322 3.6.4. What stands in a header must not end it: ids that no header can quote are left out. */
function references(mail: Pick<Mail, "references" | "inReplyTo">, parent: string): string[] {
  const above = mail.inReplyTo === null ? [] : [mail.inReplyTo];
  const before = mail.references.length > 0 ? mail.references : above;
  const known = before.filter((id) => /^[\x21-\x7e]{3,250}$/.test(id) && !/[<>]/.test(id) && id !== parent);
  const kept = known.length < MAX_REFERENCES
    ? known
    : [known[0]!, ...known.slice(known.length - MAX_REFERENCES + 2)];
  return [...new Set([...kept, parent])].map((id) => `<${id}>`);
}

function bodyOf(parts: ReplyParts): string {
  const { patch, gone, unsaid } = parts;
  const shown = parts.remarks.slice(0, MAX_REMARKS);
  const lines = [opening(parts), ""];
  const quoter = new Quoter(patch);
  const told = new Set<string>();
  for (const remark of shown) {
    const { finding } = remark;
    const kind = `${finding.rule} ${finding.key}`;
    lines.push(...quoter.quote(finding), "", ...remarkLines(remark, told.has(kind), parts), "");
    told.add(kind);
  }
  const left = parts.remarks.length - shown.length;
  if (left > 0) lines.push(...wrap(`And ${left} more: the command below lists them.`), "");
  if (gone.length > 0) {
    const places = gone.map(({ rule, path, version }) =>
      `${rule} in ${printable(path)} (was in v${version})`
    );
    lines.push(...wrap(`Fixed by this version: ${[...new Set(places)].join(", ")}.`), "");
  }
  if (unsaid > 0) {
    const patches = unsaid === 1
      ? "1 more patch of this series has"
      : `${unsaid} more patches of this series have`;
    lines.push(...wrap(`${patches} findings, which are not mailed.`), "");
  }
  return [...lines, ...footer(parts)].join("\n") + "\n";
}

/** Says how many, and that they are the patch's own: what was there before is never reported. */
function opening({ patch, remarks }: ReplyParts): string {
  const added = new Set(
    patch.files.flatMap(({ hunks }) => hunks).flatMap(({ lines }) => lines)
      .filter(({ kind }) => kind === "added").map(({ bodyNo }) => bodyNo),
  );
  const isOnAdded = remarks.every(({ finding: { at } }) => at.bodyNo !== null && added.has(at.bodyNo));
  const count = remarks.length === 1 ? "1 finding" : `${remarks.length} findings`;
  return `${count} ${isOnAdded ? "on lines this patch adds" : "in code this patch changes"}.`;
}

function remarkLines({ finding, since }: Remark, isTold: boolean, { bot }: ReplyParts): string[] {
  const { at, because, message, unless, wanted, rule, severity, operation } = finding;
  const lines = wrap(`${isTold ? "Here too: " : ""}${sentence(message, isTold)}`);
  if (since !== null) {
    lines.push("", `Still there since v${since.version}:`, mailUrl(bot.archive, since.messageId));
  }
  if (!isTold) {
    const evidence = because.slice(0, MAX_EVIDENCE).filter(({ note }) => note !== "");
    if (evidence.length > 0) lines.push("");
    for (const step of evidence) {
      const where = step.at.path === at.path ? `line ${step.at.line}` : `${step.at.path}:${step.at.line}`;
      const removed = step.at.side === "old" ? " (removed)" : "";
      const [first = "", ...rest] = wrap(printable(`${where}${removed}: ${step.note}`), "  ");
      lines.push(first, ...rest.map((line) => `  ${line}`));
    }
    if (operation !== undefined) {
      lines.push("", ...wrap(`On real machines: ${machinesSentence(onMachines(operation))}.`));
    }
    if (unless !== "") lines.push("", ...wrap(`This does not hold if ${printable(unless)}.`));
    if (wanted !== null && wanted.trim() !== "") {
      lines.push(
        "",
        "Perhaps this was meant:",
        "",
        ...printableLines(wanted.trimEnd()).map((line) => `    ${line}`),
      );
    }
  }
  return [...lines, "", `  [${rule}, ${severity}]`];
}

/** A finding's message as a sentence. A name of the kernel keeps its case. */
function sentence(message: string, isInside: boolean): string {
  const text = printable(message);
  const isWord = /^[a-z]+(?:[ ,;:-]|$)/.test(text);
  return `${isWord && !isInside ? text[0]!.toUpperCase() + text.slice(1) : text}.`;
}

function footer({ patch: { mail }, remarks, bot, toolVersion, kernel }: ReplyParts): string[] {
  const rules = [...new Set(remarks.map(({ finding }) => finding.rule))];
  const url = `${mailUrl(bot.archive, mail.messageId!)}raw`;
  const option = kernel === null ? "" : ` --kernel ${kernel}`;
  return [
    "-- ",
    `p2plint ${toolVersion} is a bot. It read this mail, without a kernel tree.`,
    ...rules.map((rule) =>
      bot.home === null ? `Why: p2plint explain ${rule}` : `Why: ${bot.home}/rules/${rule}.md`
    ),
    'Wrong? Start a line of a reply with "p2plint: false-positive" and why.',
    'Other such lines: "p2plint: fixed", "wontfix", "stop" (no more mail).',
    `Reproduce: curl -sL ${url} | p2plint check${option} -`,
  ];
}

/** A line of the mail with the hunk that holds it. */
interface Place {
  readonly line: Line;
  readonly hunk: Hunk;
  readonly path: string;
}

/** Quotes a mail's lines from top to bottom. */
class Quoter {
  readonly #places = new Map<number, Place>();
  #hunk: Hunk | null = null;
  #path = "";
  #last = 0;

  constructor(patch: Patch) {
    for (const { newPath, oldPath, hunks } of patch.files) {
      for (const hunk of hunks) {
        for (const line of hunk.lines) {
          // A line of the tree stands in no mail.
          if (line.bodyNo === null) continue;
          this.#places.set(line.bodyNo, { line, hunk, path: newPath ?? oldPath ?? "" });
        }
      }
    }
  }

  /** The lines that a finding is about, and those of its evidence that come before them. */
  quote({ at, because, function: name }: Finding): string[] {
    const wanted = new Set<number>();
    if (at.bodyNo !== null) {
      for (const no of this.#statement(at.bodyNo)) wanted.add(no);
      const head = this.#headOf(name, at.bodyNo);
      if (head !== null) wanted.add(head);
    }
    const last = Math.max(0, ...wanted);
    for (const step of because.slice(0, MAX_EVIDENCE)) {
      const no = step.at.bodyNo;
      // What stands below the remark would have to be read before it.
      if (no !== null && no < last && no > this.#last) wanted.add(no);
    }
    const lines: string[] = [];
    for (const no of [...wanted].sort((one, other) => one - other)) {
      const place = this.#places.get(no);
      if (place === undefined || no <= this.#last) continue;
      if (place.hunk !== this.#hunk) {
        if (place.path !== this.#path) lines.push(quoted(`+++ b/${place.path}`));
        this.#path = place.path;
        this.#hunk = place.hunk;
        this.#last = place.hunk.bodyNo;
        if (place.hunk.header !== "") lines.push(quoted(place.hunk.header));
      }
      lines.push(...this.#upTo(no), quoted(place.line.raw));
      this.#last = no;
    }
    return lines;
  }

  /** The lines between the last one quoted and this one, or a mark for them. */
  #upTo(no: number): string[] {
    const gap = no - this.#last - 1;
    if (gap <= 0) return [];
    if (gap > MAX_GAP) return ["[ ... ]"];
    return Array.from({ length: gap }, (_, ordinal) => this.#places.get(this.#last + 1 + ordinal))
      .flatMap((place) => place === undefined ? [] : [quoted(place.line.raw)]);
  }

  /** The line where a function begins, when the hunk shows it: `@@ -0,0 +1,900 @@` says little about where one is. */
  #headOf(name: string, bodyNo: number): number | null {
    const hunk = this.#places.get(bodyNo)?.hunk;
    for (let no = bodyNo - 1; name !== ""; no--) {
      const place = this.#places.get(no);
      if (place === undefined || place.hunk !== hunk) return null;
      const { kind, text } = place.line;
      const at = text.indexOf(`${name}(`);
      if (kind !== "removed" && /^\w/.test(text) && at >= 0 && !/\w/.test(text[at - 1] ?? "")) return no;
    }
    return null;
  }

  /** The line and those that follow until its parentheses are closed. */
  #statement(no: number): number[] {
    const start = this.#places.get(no);
    if (start === undefined) return [];
    const out: number[] = [];
    let open = 0;
    for (let at = no; out.length < MAX_STATEMENT; at++) {
      const place = this.#places.get(at);
      if (place === undefined || place.hunk !== start.hunk) break;
      out.push(at);
      if (place.line.kind === "removed" && start.line.kind !== "removed") continue;
      for (const sign of place.line.text) open += sign === "(" ? 1 : sign === ")" ? -1 : 0;
      if (open <= 0) break;
    }
    return out;
  }
}

const quoted = (line: string): string => {
  const shown = printable(line);
  const cut = shown.length > MAX_QUOTED ? `${shown.slice(0, MAX_QUOTED)} [...]` : shown;
  return `> ${cut}`;
};
