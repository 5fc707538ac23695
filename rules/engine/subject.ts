/**
 * Reads what the brackets of a Subject say. Total: any text is some subject. Knows no list and no tree by name.
 *
 * @module
 */
import type { Subject } from "./types.ts";

/** Reply and forward marks of the mailers seen on the lists, `Re[2]:` and full-width colons included. */
const REPLY =
  /^(?:re|aw|antw|antwort|sv|vs|odp|rif|ynt|wg|tr|fw|fwd|回复|回覆|答复|答覆|转发|轉寄|ответ|отв)\s*(?:\[\d+\])?\s*[:：]\s*/iu;
const BRACKET = /^[[【]([^\]】]*)[\]】]\s*/u;
const COUNTS = /^(\d{1,4})\/(\d{1,4})$/;
const VERSION = /^v(\d{1,3})(?:\.(\d+))?$/i;
/** The PATCH word with what people glue to it: `PATCHv2`, `PATCH-v2`, `PATCHv2-next`, `PATCHES`, `PATCH:`. */
const PATCH = /^patch(?:es|set)?[:-]?(?:v(\d{1,3})(?:-(\w+))?)?$/i;
/** `RFCv2`, `RFT-v3`: a tag and a version in one word. */
const TAG_VERSION = /^(rfc|rft|resend)[-.]?v(\d{1,3})$/i;
/** `[RFC/PATCH]`, `[PATCH-RFC]`, `[RFCPATCH]`: the PATCH word joined to a tag (but not `dispatch`). */
const JOINED = /^(?:(rfc|rft|resend)|(?:([a-z]+)[/+-]))?patch(?:(rfc|rft|resend)|[/+-]([a-z]+))?$/i;
/** Dotted: below 3 a revision (`v2.1`), from 3 on a kernel (`v5.10`) that a stable patch is meant for. */
const FIRST_KERNEL_MAJOR = 3;

interface Bracket {
  isPatch: boolean;
  version: number | null;
  counts: readonly [index: number, total: number] | null;
  readonly tags: string[];
}

function readWord(word: string, into: Bracket): void {
  const counts = COUNTS.exec(word);
  if (counts) {
    into.counts ??= [Number(counts[1]), Number(counts[2])];
    return;
  }
  const version = VERSION.exec(word);
  if (version && (version[2] === undefined || Number(version[1]) < FIRST_KERNEL_MAJOR)) {
    into.version ??= Number(version[1]);
    return;
  }
  const patch = PATCH.exec(word);
  if (patch) {
    into.isPatch = true;
    if (patch[1] !== undefined) into.version ??= Number(patch[1]);
    if (patch[2] !== undefined) into.tags.push(patch[2]);
    return;
  }
  const tagged = TAG_VERSION.exec(word);
  if (tagged) {
    into.tags.push(tagged[1] ?? "");
    into.version ??= Number(tagged[2]);
    return;
  }
  const joined = JOINED.exec(word);
  if (joined) {
    into.isPatch = true;
    for (const tag of joined.slice(1)) if (tag !== undefined) into.tags.push(tag);
    return;
  }
  into.tags.push(word);
}

/**
 * Reads a decoded Subject: brackets in any number and any order inside, reply marks before or between them.
 * `[RFC 1/3]` and patchwork's `[net-next,v15,06/12]` are patches by their counts or version; `[GIT PULL]` is none.
 */
export function readSubject(decoded: string): Subject {
  const text = decoded.replace(/\s+/g, " ").trim();
  const said: Bracket = { isPatch: false, version: null, counts: null, tags: [] };
  let isReply = false;
  let isPull = false;
  let rest = text;
  while (rest !== "") {
    const reply = said.isPatch ? null : REPLY.exec(rest);
    if (reply) {
      isReply = true;
      rest = rest.slice(reply[0].length);
      continue;
    }
    const bracket = BRACKET.exec(rest);
    if (!bracket) break;
    rest = rest.slice(bracket[0].length);
    const inside = (bracket[1] ?? "")
      .replace(/(\d)\s*\/\s*(\d)/g, "$1/$2")
      .replace(/\b(\d{1,4}) of (\d{1,4})\b/gi, "$1/$2")
      // `PATCH01/10`, `PATCHv2 1/3`, `v2-1/3`: the count starts a word of its own.
      .replace(
        /([a-z-]|v\d{1,3}-)(?=\d{1,4}\/\d)/gi,
        (head) => head === "-" ? " " : `${head.replace(/-$/, "")} `,
      );
    if (/\bgit[ -]?pull\b|\bpull[ -]request\b/i.test(inside)) isPull = true;
    for (const word of inside.split(/[\s,;]+/)) if (word !== "") readWord(word, said);
  }
  const [index, total] = said.counts ?? [1, 1];
  return {
    text,
    isPatch: !isPull && (said.isPatch || said.counts !== null || said.version !== null),
    isReply,
    tags: said.tags,
    version: said.version ?? 1,
    index,
    total,
    title: rest.replace(/^[:\s]+/, ""),
  };
}
