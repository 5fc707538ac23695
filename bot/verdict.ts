/**
 * Verdicts in replies: lines `p2plint: false-positive REASON`. Reads what a stranger wrote and says whose word counts.
 * Pure.
 *
 * @module
 */

import type { Mail } from "../rules/engine/types.ts";
import type { Config } from "./watch_config.ts";
import { sameAddress, split } from "./mailboxes.ts";
import type { FindingRecord, PostRecord, ReplyPost, Verb, Verdict } from "./ports.ts";

/** A line that speaks to us. */
export interface Command {
  readonly verb: Verb | "stop";
  /** What follows on the line. */
  readonly reason: string;
  /** The rule in the last quoted tag above it (`> [rule, error]`), or named first in the reason; null for none. */
  readonly rule: string | null;
}

const VERBS: readonly (Verb | "stop")[] = ["false-positive", "wontfix", "fixed", "stop"];
const LINE = /^p2plint:\s*([a-z-]+)\b[ \t:,-]*(.*)$/i;
const TAG = /^(?:>\s*)+\[([a-z0-9-]+), (?:error|warning|note)\]\s*$/;
/** A reply that says more is no reply to us. */
const MAX_COMMANDS = 50;
const MAX_REASON = 500;

/** The commands in the text of a reply. Quoted lines are not its words. */
export function readCommands(body: string): readonly Command[] {
  const commands: Command[] = [];
  let quoted: string | null = null;
  for (const line of body.split("\n")) {
    if (line === "-- ") break;
    quoted = TAG.exec(line)?.[1] ?? quoted;
    const said = LINE.exec(line.trimEnd());
    const verb = VERBS.find((each) => each === said?.[1]?.toLowerCase());
    if (said === null || verb === undefined) continue;
    const reason = (said[2] ?? "").slice(0, MAX_REASON);
    commands.push({ verb, reason, rule: quoted });
    if (commands.length === MAX_COMMANDS) break;
  }
  return commands;
}

/** What a reply comes to. */
export interface Judgement {
  readonly verdicts: readonly Verdict[];
  /** Lower-case address that wants no more mail. */
  readonly optOut: string | null;
  /** For the journal. */
  readonly reason: string;
}

/**
 * What the commands of a reply mean.
 *
 * @param posts The posts of ours that it answers, with what each said
 */
export function judgeReply(
  mail: Mail,
  posts: readonly { readonly record: PostRecord<ReplyPost>; readonly findings: readonly FindingRecord[] }[],
  config: Config,
): Judgement {
  const nothing = (reason: string): Judgement => ({ verdicts: [], optOut: null, reason });
  const commands = readCommands(mail.body);
  if (commands.length === 0) return nothing("an answer to the bot, without a command");
  if (posts.length === 0) return nothing("a command in answer to a mail that the bot did not send");
  if (mail.from === null || mail.messageId === null) return nothing("a command from nobody");
  const by = sameAddress(mail.from.address);
  if (!isVouchedFor(mail, config)) return nothing(`a command of ${by}, without the DKIM signature it needs`);
  // Who wants no more mail needs nobody's leave.
  const optOut = commands.some(({ verb }) => verb === "stop") ? by : null;
  const isMaintainer = config.verdicts.maintainers.some((address) => sameAddress(address) === by);
  const verdicts = new Map<string, Verdict>();
  let isHeard = false;
  for (const { record: { post }, findings } of posts) {
    if (!isMaintainer && post.author !== by) continue;
    isHeard = true;
    for (const { verb, reason, rule } of commands) {
      if (verb === "stop") continue;
      const named = findings.filter((finding) => reason.split(/[\s:,]+/, 1)[0] === finding.rule);
      const quoted = findings.filter((finding) => finding.rule === rule);
      const meant = named.length > 0 ? named : quoted.length > 0 ? quoted : findings;
      for (const { fingerprint, rule } of meant) {
        verdicts.set(fingerprint, { fingerprint, rule, verb, reason, by, messageId: mail.messageId });
      }
    }
  }
  const said = commands.map(({ verb }) => verb).join(", ");
  if (!isHeard && optOut === null) return nothing(`${said} by ${by}: neither author nor maintainer`);
  return { verdicts: [...verdicts.values()], optOut, reason: `${said} by ${by}` };
}

/** Whether our own mail server vouches for the sender, where the configuration asks for it (RFC 8601). */
function isVouchedFor(mail: Mail, { verdicts: { authserv } }: Config): boolean {
  if (authserv === null) return true;
  const [, domain] = split(mail.from!.address);
  // Only the topmost is our server's; the others came with the mail.
  const results = (mail.headers.get("authentication-results")?.[0] ?? "").toLowerCase();
  const [server = "", ...methods] = results.split(";");
  if (server.trim().split(/\s/, 1)[0] !== authserv.toLowerCase()) return false;
  return methods.some((method) => {
    const signer = /\bheader\.d=([^\s;]+)/.exec(method)?.[1] ?? "";
    return /^\s*dkim=pass\b/.test(method) && (domain === signer || domain.endsWith(`.${signer}`)) &&
      signer !== "";
  });
}
