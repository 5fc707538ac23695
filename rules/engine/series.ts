/**
 * Puts patches that were posted together into series. Works on light records of the heads, so that an mbox can be
 * streamed past it. Pure; never judges a patch, never fails: a series with holes names them.
 *
 * @module
 */
import type { Mail, Series } from "./types.ts";

/** What must be known of a mail to place it; every `Mail` is one. */
export type SeriesMember = Pick<Mail, "messageId" | "inReplyTo" | "references" | "subject" | "from">;

/** A series of whatever records were handed in; of mails it is a `Series`. */
export interface SeriesOf<Member extends SeriesMember> extends Omit<Series, "cover" | "members"> {
  readonly cover: Member | null;
  readonly members: readonly Member[];
}

/** Message-IDs of git send-email: one stem for the whole series, then the number of the mail. */
const GIT_ID = /^(\d{14}\.\d+)-\d+-(.+)$/;
const RESEND = /^(?:resend|repost|resent)$/i;

/** Sets of keys that belong together (union-find with path halving). */
class Groups {
  readonly #parents = new Map<string, string>();

  root(key: string): string {
    let at = key;
    for (;;) {
      const parent = this.#parents.get(at) ?? at;
      if (parent === at) return at;
      const above = this.#parents.get(parent) ?? parent;
      this.#parents.set(at, above);
      at = above;
    }
  }

  join(one: string, other: string): void {
    const from = this.root(other);
    const to = this.root(one);
    if (from !== to) this.#parents.set(from, to);
  }
}

/** What all patches of one posting share: a v2, a RESEND or somebody else's answer in the thread differs in it. */
function posting(member: SeriesMember): string {
  const { subject } = member;
  const resend = subject.tags.some((tag) => RESEND.test(tag)) ? "resend" : "";
  return [subject.version, subject.total, resend, member.from?.address.toLowerCase() ?? ""].join(" ");
}

/** Whether the mail is a patch or a cover letter, and not an answer to one. A bare diff has no subject at all. */
const belongs = ({ messageId, subject }: SeriesMember): boolean =>
  (subject.isPatch && !subject.isReply) || (messageId === null && subject.text === "");

/** Whether the subject counts: `[PATCH 1/1]` cannot be told from `[PATCH]`, and needs not be but for its cover. */
const isCounted = ({ subject }: SeriesMember): boolean => subject.total > 1 || subject.index === 0;

/**
 * Assembles series from mails in any order. Replies belong to none. Mails are joined by In-Reply-To and References
 * (shallow and deep threads, cover or none), and without threading by git's Message-ID stem, then by sender, version
 * and total. The same mail from two lists counts once; of two patches with one index the later starts a series of
 * its own. Series come in the order of their first mail.
 */
export function assemble<Member extends SeriesMember>(mails: Iterable<Member>): readonly SeriesOf<Member>[] {
  const seen = new Set<string>();
  const all: Member[] = [];
  for (const mail of mails) {
    if (!belongs(mail) || (mail.messageId !== null && seen.has(mail.messageId))) continue;
    if (mail.messageId !== null) seen.add(mail.messageId);
    all.push(mail);
  }

  const groups = new Groups();
  const keys = new Map<Member, string>();
  /** Message-IDs that `[PATCH 1/1]` may have for its cover. */
  const coversOfOne = new Set(
    all.filter(({ subject }) => subject.index === 0 && subject.total === 1).map(({ messageId }) => messageId),
  );
  all.forEach((mail, ordinal) => {
    const shared = posting(mail);
    const own = mail.messageId === null ? `nameless ${ordinal}` : `${mail.messageId} ${shared}`;
    keys.set(mail, own);
    const parents = [mail.inReplyTo, ...mail.references].filter((id): id is string => id !== null);
    if (!isCounted(mail)) {
      for (const id of parents) if (coversOfOne.has(id)) groups.join(`${id} ${shared}`, own);
      return;
    }
    // A parent that is no part of this posting, or is absent, still is one place where its patches meet.
    for (const id of parents) groups.join(`${id} ${shared}`, own);
    const stem = GIT_ID.exec(mail.messageId ?? "");
    if (stem) groups.join(`stem ${stem[1]} ${stem[2]} ${shared}`, own);
    else if (parents.length === 0) groups.join(`loose ${shared}`, own);
  });

  const gathered = new Map<string, Member[][]>();
  for (const mail of all) {
    const root = groups.root(keys.get(mail) ?? "");
    const places = gathered.get(root) ?? [];
    if (places.length === 0) gathered.set(root, places);
    const place = places.find((others) =>
      others.every(({ subject }) => subject.index !== mail.subject.index)
    );
    if (place) place.push(mail);
    else places.push([mail]);
  }
  return Array.from(gathered.values()).flat().map(toSeries);
}

function toSeries<Member extends SeriesMember>(mails: readonly Member[]): SeriesOf<Member> {
  const sorted = mails.toSorted((one, other) => one.subject.index - other.subject.index);
  const head = sorted[0];
  if (head === undefined) throw new Error("Cannot make a series of no mail");
  const { version, total } = head.subject;
  const present = new Set(sorted.map(({ subject }) => subject.index));
  return {
    root: head.messageId ?? "",
    version,
    total,
    cover: head.subject.index === 0 ? head : null,
    members: sorted.filter(({ subject }) => subject.index !== 0),
    absent: Array.from({ length: total }, (_, ordinal) => ordinal + 1).filter((index) => !present.has(index)),
  };
}
