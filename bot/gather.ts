/**
 * Holds the patches of a series until all of them are there, so that they can be judged one upon another. What is no
 * part of a series goes on at once. Bounded: an archive may hold thousands of series that never become whole.
 *
 * @module
 */

import { assemble } from "../rules/engine/series.ts";
import type { Patch } from "../rules/engine/types.ts";

/** A patch and where it came from. */
export interface Gathered {
  readonly input: string;
  readonly kind: string;
  readonly patch: Patch;
  /** Only its head was read, for its place in a series: nothing in it is to be judged. */
  readonly isPassedOver?: boolean;
}

/** Patches that apply one upon another, in order. */
export interface Group {
  readonly members: readonly Gathered[];
  /** No patch of the series is missing. */
  readonly isComplete: boolean;
}

/** Patches that are held at the most, and the characters of their bodies. */
const MAX_HELD = 1024;
const MAX_HELD_TEXT = 16 << 20;

/** Collects patches into groups. */
export class Gatherer {
  private held: Gathered[] = [];
  private text = 0;

  /** Takes a patch; gives the groups that are whole now, or can be waited for no longer. */
  add(one: Gathered): readonly Group[] {
    const { subject } = one.patch.mail;
    if (!subject.isPatch || subject.isReply || (subject.total <= 1 && subject.index !== 0)) {
      return [{ members: [one], isComplete: true }];
    }
    this.held.push(one);
    this.text += one.patch.mail.body.length;
    const out: Group[] = [];
    const others = this.held.filter((other) => isAlike(other.patch, one.patch));
    if (others.length >= subject.total) out.push(...this.take(others, (group) => group.isComplete));
    while (this.held.length > MAX_HELD || this.text > MAX_HELD_TEXT) {
      const oldest = this.held[0]!;
      out.push(
        ...this.take(
          this.held.filter((other) => isAlike(other.patch, oldest.patch)),
          (group) => group.members.includes(oldest),
        ),
      );
    }
    return out;
  }

  /** The rest: series of which patches never came, earlier versions first. */
  end(): readonly Group[] {
    return this.take(this.held, () => true).toSorted((a, b) => versionOf(a) - versionOf(b));
  }

  private take(from: readonly Gathered[], isWanted: (group: Group) => boolean): Group[] {
    const groups = groupsOf(from).filter(isWanted);
    const taken = new Set(groups.flatMap(({ members }) => members));
    this.held = this.held.filter((one) => !taken.has(one));
    this.text = this.held.reduce((sum, { patch }) => sum + patch.mail.body.length, 0);
    return groups;
  }
}

const versionOf = ({ members }: Group) => members[0]?.patch.mail.subject.version ?? 1;

const isAlike = ({ mail: a }: Patch, { mail: b }: Patch) =>
  a.subject.version === b.subject.version && a.subject.total === b.subject.total &&
  a.from?.address === b.from?.address;

function groupsOf(from: readonly Gathered[]): Group[] {
  const byMail = new Map(from.map((one) => [one.patch.mail, one]));
  const groups: Group[] = [];
  const seen = new Set<Gathered>();
  for (const { cover, members, absent } of assemble(byMail.keys())) {
    const all = [...(cover === null ? [] : [cover]), ...members].map((mail) => byMail.get(mail)!);
    for (const one of all) seen.add(one);
    groups.push({ members: all, isComplete: absent.length === 0 });
  }
  // The same mail from a second list is of no series, and is answered for all the same.
  for (const one of from) if (!seen.has(one)) groups.push({ members: [one], isComplete: false });
  return groups;
}
