/**
 * What a judged series comes to: which findings are told, to whom, and what is remembered. Pure.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Confidence, Finding, Patch, Report, Severity } from "../rules/engine/types.ts";
import type { Config } from "./watch_config.ts";
import { foreignPath, postMessageId } from "./intake.ts";
import { sameAddress } from "./mailboxes.ts";
import { mirrorPosts } from "./mirror/posts.ts";
import { problemsOf } from "./outgoing.ts";
import type {
  FindingRecord,
  MailRecord,
  MailState,
  Outcome,
  Post,
  PostState,
  ReplyPost,
  Said,
} from "./ports.ts";
import { recipientsOf } from "./recipients.ts";
import { type Remark, replyText } from "./render/reply.ts";

/** What is known when a series is judged. */
export interface Case {
  readonly root: string;
  readonly version: number;
  /** Every mail of the series that waited, cover included. */
  readonly mails: readonly MailRecord[];
  /** On those of its patches that hold something to judge, in order. */
  readonly reports: readonly Report[];
  /** See `Journal.said()`: of this version too, when it is sent again or came in two halves. */
  readonly said: readonly Said[];
  /** Fingerprints that have a verdict. */
  readonly judged: ReadonlySet<string>;
  readonly optedOut: ReadonlySet<string>;
  /** Mails that its thread has had from us. */
  readonly threadPosts: number;
  readonly now: number;
  readonly toolVersion: string;
}

const SEVERITY: Readonly<Record<Severity, number>> = { note: 0, warning: 1, error: 2 };
const CONFIDENCE: Readonly<Record<Confidence, number>> = { low: 0, medium: 1, high: 2 };

/** The Message-ID that a mail's thread began with, as far as the mail says. */
export const threadOf = ({ references, inReplyTo, messageId }: MailRecord): string =>
  references[0] ?? inReplyTo ?? messageId;

/** What tells that two postings are versions of one: its author with a title of it, or b4's change-id. */
export function seriesKeys(
  mails: readonly Pick<MailRecord, "from" | "subject">[],
  changeIds: readonly (string | null)[] = [],
): readonly string[] {
  const titles = mails.map(({ from, subject }) =>
    `title ${from} ${subject.title.toLowerCase().replace(/\W+/g, " ").trim()}`
  );
  const changes = changeIds.flatMap((id) => id === null ? [] : [`change ${id}`]);
  return [...new Set([...titles, ...changes])];
}

/** A post's id: the same patch always gets the same, so that it cannot be answered twice. */
export const postIdOf = (messageId: string): string =>
  createHash("sha256").update(`p2plint ${messageId}`).digest("hex").slice(0, 20);

/** A patch that has something to be said of. */
interface Candidate {
  readonly patch: Patch;
  readonly mail: MailRecord;
  readonly remarks: readonly Remark[];
}

/** Decides. */
export function outcomeOf(given: Case, config: Config): Outcome {
  const { mails, reports, said, judged, root, version } = given;
  const ends = new Map<string, { state: MailState; reason: string }>(
    mails.map(({ messageId, subject }) => [messageId, {
      state: "clean",
      reason: subject.index === 0 ? "cover letter" : "no name in it that a rule knows",
    }]),
  );
  const before = said.filter((each) => each.version < version);
  const now = new Set(reports.flatMap(({ findings }) => findings.map(({ fingerprint }) => fingerprint)));
  const candidates: Candidate[] = [];
  const told = new Map<string, readonly Finding[]>();
  let isForeign = false;
  const findings: FindingRecord[] = [];
  const byId = new Map(mails.map((mail) => [mail.messageId, mail]));
  for (const report of reports) {
    const mail = byId.get(report.patch.mail.messageId ?? "");
    if (mail === undefined) {
      throw new Error(`Cannot place the report on ${report.patch.mail.messageId}: no such mail`);
    }
    const end = (state: MailState, reason: string) => ends.set(mail.messageId, { state, reason });
    const foreign = foreignPath(report.patch);
    if (foreign !== null) {
      end("skipped", `for another project: the kernel has no folder ${foreign}`);
      isForeign = true;
      continue;
    }
    findings.push(...report.findings.map((finding) => toRecord(finding, mail.messageId)));
    const open = report.findings.filter((finding) => isMailed(finding, config));
    const left = open.filter(({ fingerprint }) => !judged.has(fingerprint));
    told.set(mail.messageId, left);
    if (left.length === 0) {
      const fault = report.faults[0];
      if (fault !== undefined) {
        end("parked", `rule ${fault.rule} failed on ${fault.where}: ${fault.error.message}`);
      } else if (open.length > 0) end("muted", "every finding has a verdict");
      else if (report.findings.length > 0) end("clean", "nothing that is mailed");
      else {end(
          "clean",
          report.unseen.length > 0 ? `nothing found; not judged: ${unseenOf(report)}` : "nothing found",
        );}
      continue;
    }
    const already = new Set(said.filter((each) => each.version === version).map((each) => each.fingerprint));
    if (left.every(({ fingerprint }) => already.has(fingerprint))) {
      end("muted", "said of this version already");
      continue;
    }
    candidates.push({ patch: report.patch, mail, remarks: left.map((finding) => toRemark(finding, before)) });
  }

  const room = Math.min(config.reply.maxPerSeries, config.limits.perThread - given.threadPosts);
  const worst = ({ remarks }: Candidate) =>
    Math.max(...remarks.map(({ finding }) => SEVERITY[finding.severity]));
  const chosen = new Set(
    candidates.toSorted((one, other) => worst(other) - worst(one)).slice(0, Math.max(0, room)),
  );
  const gone = before.filter(({ fingerprint }) => !now.has(fingerprint) && !judged.has(fingerprint));
  const posts: { post: Post; state: PostState; reason: string }[] = [];
  const saidBy = new Map<string, string>();
  for (const candidate of candidates) {
    const { mail, patch, remarks } = candidate;
    const end = (state: MailState, reason: string) => ends.set(mail.messageId, { state, reason });
    if (!chosen.has(candidate)) {
      end(
        "muted",
        room <= 0 ? "its thread has had all the mail it gets" : "its series has had all the mail it gets",
      );
      continue;
    }
    const audience = recipientsOf(patch.mail, config, given.optedOut);
    const to = audience.places.filter(({ role }) => role === "to").map(({ address }) => address);
    const cc = audience.places.filter(({ role }) => role === "cc").map(({ address }) => address);
    if (audience.mode === "off") {
      end("muted", `${audience.list} has mode off`);
      continue;
    }
    if (to.length === 0) {
      const out = audience.places.find(({ role }) => role === "out");
      end(
        "muted",
        `nobody to answer to${out === undefined ? "" : `: ${out.address.address} is out, ${out.why}`}`,
      );
      continue;
    }
    const id = postIdOf(mail.messageId);
    const isFirst = posts.length === 0;
    const post: ReplyPost = {
      kind: "reply",
      id,
      messageId: postMessageId(id, config),
      inReplyTo: mail.messageId,
      sender: config.bot.address,
      recipients: [...to, ...cc].map(({ address }) => address),
      text: replyText({
        patch,
        remarks,
        gone: isFirst ? gone : [],
        unsaid: isFirst ? candidates.length - chosen.size : 0,
        to,
        cc,
        bot: config.bot,
        messageId: postMessageId(id, config),
        date: given.now,
        toolVersion: given.toolVersion,
        kernel: config.kernel,
      }),
      list: audience.list,
      author: sameAddress(to[0]!.address),
      thread: threadOf(mail),
      sink: audience.mode === "dry-run" ? "outbox" : "smtp",
    };
    const problems = problemsOf(post);
    const isHeld = audience.mode === "moderated";
    if (problems.length > 0) {
      posts.push({ post, state: "parked", reason: `not fit to send: ${problems.join("; ")}` });
    } else {posts.push({
        post,
        state: isHeld ? "held" : "pending",
        reason: `mode ${audience.mode} of ${audience.list}`,
      });}
    end("replied", `post ${id}`);
    for (const { finding } of remarks) saidBy.set(`${finding.fingerprint} ${mail.messageId}`, id);
  }
  return {
    root,
    version,
    keys: seriesKeys(mails, reports.map(({ patch }) => patch.changeId)),
    mails: [...ends].map(([messageId, end]) => ({ messageId, ...end })),
    findings: findings.map((finding) => ({
      ...finding,
      post: saidBy.get(`${finding.fingerprint} ${finding.messageId}`) ?? null,
    })),
    // A mirror is of the kernel.
    posts: isForeign
      ? posts
      : [...posts, ...mirrorPosts({ root, version, mails, reports, told, now: given.now }, config)],
  };
}

/** All mails of a series end alike. */
export function endAll(
  { root, version, mails }: Pick<Case, "root" | "version" | "mails">,
  state: MailState,
  reason: string,
): Outcome {
  return {
    root,
    version,
    keys: seriesKeys(mails),
    mails: mails.map(({ messageId }) => ({ messageId, state, reason })),
    findings: [],
    posts: [],
  };
}

const isMailed = ({ severity, confidence }: Finding, { reply }: Config): boolean =>
  SEVERITY[severity] >= SEVERITY[reply.minSeverity] &&
  CONFIDENCE[confidence] >= CONFIDENCE[reply.minConfidence];

function unseenOf({ unseen }: Report): string {
  const [first] = unseen;
  const rest = unseen.length > 1 ? ` and ${unseen.length - 1} more` : "";
  return `${first!.what}: ${first!.reason}${rest}`;
}

/** The earliest version that was told of a finding is the one to name. */
function toRemark(finding: Finding, before: readonly Said[]): Remark {
  const first = before.find(({ fingerprint }) => fingerprint === finding.fingerprint);
  return {
    finding,
    since: first === undefined ? null : { version: first.version, messageId: first.postMessageId },
  };
}

function toRecord(finding: Finding, messageId: string): FindingRecord {
  const { fingerprint, rule, severity, message, at: { path, line } } = finding;
  return { fingerprint, rule, severity, path, line, message, messageId, post: null };
}
