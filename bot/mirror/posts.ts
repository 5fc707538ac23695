/**
 * What a judged series comes to for the mirrors of its lists. The policy of the lists decides, apart from that for
 * mail: a mirror has a mode of its own. Pure.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Finding, Mail, Report } from "../../rules/engine/types.ts";
import { isConfidential } from "../mailboxes.ts";
import type { MailRecord, MirrorPost, PostState } from "../ports.ts";
import { CAUTION, listsOf } from "../recipients.ts";
import type { Config, MirrorPolicy } from "../watch_config.ts";
import { mailedPatch, printSeries } from "./series.ts";

const HOUR_MS = 60 * 60 * 1000;

/** A series that was judged. */
export interface JudgedSeries {
  readonly root: string;
  readonly version: number;
  /** Cover included. */
  readonly mails: readonly MailRecord[];
  readonly reports: readonly Report[];
  /** The findings to be told, by the Message-ID of their patch. */
  readonly told: ReadonlyMap<string, readonly Finding[]>;
  readonly now: number;
}

/** A post and what becomes of it at first. */
export interface NewMirrorPost {
  readonly post: MirrorPost;
  readonly state: PostState;
  readonly reason: string;
}

/** Whether a mail may be of a series that a mirror wants to know of: clean or not, a mirror hears of all. */
export const isMirrored = (mail: Mail, { lists }: Config): boolean =>
  listsOf(mail, lists).some(({ mirror }) => mirror !== null && mirror.mode !== "off");

/** One for each mirror and kind of report that its lists want. */
export function mirrorPosts(judged: JudgedSeries, config: Config): readonly NewMirrorPost[] {
  const { root, version, mails, reports, told, now } = judged;
  const total = mails[0]?.subject.total ?? 0;
  const isWhole = reports.length === total;
  return wishesOf(reports.map(({ patch }) => patch.mail), config).map(({ list, wish }) => {
    const { name, report, mode } = wish;
    const { waitHours } = config.mirrors.find((each) => each.name === name)!;
    const post: MirrorPost = {
      kind: "mirror",
      id: createHash("sha256").update(`p2plint ${name} ${report} ${root}`).digest("hex").slice(0, 20),
      mirror: name,
      root,
      until: now + waitHours * HOUR_MS,
      text: printSeries({
        report,
        root,
        version,
        titles: mails.map(({ subject }) => subject.title),
        patches: reports.map(({ patch }) => mailedPatch(patch, told.get(patch.mail.messageId ?? "") ?? [])),
      }),
      list,
      sink: mode === "dry-run" ? "outbox" : "github",
    };
    // A mirror shows the whole series: there is no pull request to be found for a part.
    if (!isWhole) {
      return { post, state: "dropped", reason: `${reports.length} of ${total} patches could be read` };
    }
    return { post, state: mode === "moderated" ? "held" : "pending", reason: `mode ${mode} of ${list}` };
  });
}

interface Wish {
  readonly list: string;
  readonly wish: MirrorPolicy;
}

/**
 * What the lists want, one for each mirror and kind of report. As with mail, a private list is not overruled by a
 * public one: what was on it goes to its own mirror or to none. Else a list that wants a report is not muted by one
 * that does not.
 */
function wishesOf(mails: readonly Mail[], config: Config): readonly Wish[] {
  const lists = new Set(mails.flatMap((mail) => listsOf(mail, config.lists)));
  const secret = [...lists].filter((list) => list.private);
  const isSecret = secret.length > 0;
  if (
    !isSecret && mails.some(({ to, cc }) => [...to, ...cc].some(({ address }) => isConfidential(address)))
  ) {
    return [];
  }
  const caution = (mode: MirrorPolicy["mode"]) => CAUTION.indexOf(mode) * (isSecret ? -1 : 1);
  const wishes = new Map<string, Wish>();
  for (const { id, mirror } of isSecret ? secret : lists) {
    if (mirror === null) continue;
    const key = `${mirror.name} ${mirror.report}`;
    const known = wishes.get(key);
    if (known === undefined || caution(mirror.mode) > caution(known.wish.mode)) {
      wishes.set(key, { list: id, wish: mirror });
    }
  }
  return [...wishes.values()].filter(({ wish }) => wish.mode !== "off");
}
