/**
 * Who gets a reply, and why. `p2plint who` prints what is decided here. Pure.
 *
 * @module
 */

import type { Address, Mail } from "../rules/engine/types.ts";
import type { Config, ListPolicy, Mode } from "./watch_config.ts";
import {
  isConfidential,
  isListLike,
  isRelay,
  isRobot,
  matchesAny,
  sameAddress,
  submitterOf,
} from "./mailboxes.ts";

/** What is decided of one address. */
export interface Place {
  readonly address: Address;
  readonly role: "to" | "cc" | "out";
  /** Lower case, no full stop. */
  readonly why: string;
}

/** The audience of a reply. */
export interface Audience {
  readonly mode: Mode;
  /** The list or sender that the reply is counted for; "" when no policy covers the mail. */
  readonly list: string;
  /** In order: the author, lists, people. Each address once. */
  readonly places: readonly Place[];
}

/** From the one that says least to the one that says most. */
export const CAUTION: readonly Mode[] = ["off", "dry-run", "moderated", "send"];

/** The list id in a List-Id header (RFC 2919): what stands in the angle brackets, or all of it. */
export const listIdOf = (value: string): string =>
  (/<([^<>]+)>/.exec(value)?.[1] ?? value).trim().toLowerCase();

/** The configured lists that a mail came through or is addressed to. */
export function listsOf(mail: Mail, lists: readonly ListPolicy[]): readonly ListPolicy[] {
  const ids = new Set((mail.headers.get("list-id") ?? []).map(listIdOf));
  const addresses = new Set([...mail.to, ...mail.cc].map(({ address }) => sameAddress(address)));
  return lists.filter((list) => ids.has(list.id.toLowerCase()) || addresses.has(sameAddress(list.address)));
}

/**
 * Decides who gets the reply to a patch.
 *
 * @param optedOut Lower-case addresses that asked for no more mail
 */
export function recipientsOf(mail: Mail, config: Config, optedOut: ReadonlySet<string>): Audience {
  const isList = (address: string) =>
    config.lists.some((list) => sameAddress(list.address) === sameAddress(address));
  const submitter = submitterOf(mail, isList);
  const lists = listsOf(mail, config.lists);
  const secret = lists.filter((list) => list.private);
  const isPrivate = secret.length > 0 ||
    [...mail.to, ...mail.cc].some(({ address }) => isConfidential(address));
  const direct = config.senders.find(({ address }) =>
    mail.from !== null && sameAddress(address) === sameAddress(mail.from.address)
  );
  // A private list is not overruled by a public one; else a list that wants mail is not muted by one that does not.
  const deciding = secret.length > 0 ? secret : lists;
  const ranks = deciding.map(({ mode }) => CAUTION.indexOf(mode));
  const mode = ranks.length > 0
    ? CAUTION[secret.length > 0 ? Math.min(...ranks) : Math.max(...ranks)]!
    : direct?.mode ?? "off";
  const list = deciding.find((each) => each.mode === mode)?.id ?? direct?.address ?? "";

  const places = new Map<string, Place>();
  const put = (address: Address, role: Place["role"], why: string) => {
    const key = sameAddress(address.address);
    if (!places.has(key)) places.set(key, { address, role, why });
  };
  const isBarred = ({ address }: Address): string | null => {
    if (optedOut.has(sameAddress(address))) return "opted out";
    if (sameAddress(address) === sameAddress(config.bot.address)) return "the bot itself";
    if (isRelay(address)) return "a relay: nobody reads it";
    if (isRobot(address) || matchesAny(address, config.intake.ignore)) return "a robot";
    return null;
  };
  const offer = (address: Address, why: string) => {
    const barred = isBarred(address);
    put(address, barred === null ? "cc" : "out", barred ?? why);
  };

  if (submitter !== null) {
    const barred = isBarred(submitter);
    const why = mail.from !== null && sameAddress(mail.from.address) === sameAddress(submitter.address)
      ? "sent the patch"
      : `sent the patch through ${mail.from?.address ?? "nobody"}`;
    put(submitter, barred === null ? "to" : "out", barred ?? why);
  }
  if (mail.author !== null && !isListLike(mail.author.address) && !isList(mail.author.address)) {
    offer(mail.author, "wrote the patch");
  }
  for (const each of lists) {
    const address = named(each.address, [...mail.to, ...mail.cc]);
    if (isPrivate) put(address, "out", "the patch was on a private list");
    else if (each.mode === mode) offer(address, `list with mode ${mode}`);
    else put(address, "out", `list with mode ${each.mode}`);
  }
  for (const each of lists) {
    if (each.mode === mode && (!isPrivate || each.private)) {
      for (const address of each.cc) offer({ name: "", address }, `cc of ${each.id}`);
    }
  }
  const people = (addresses: readonly Address[], isWanted: boolean, where: string) => {
    for (const address of addresses) {
      if (isConfidential(address.address)) put(address, "out", "confidential");
      else if (isListLike(address.address)) put(address, "out", "a list that did not opt in");
      else if (isPrivate) put(address, "out", "the patch was on a private list");
      else if (lists.length === 0) {
        put(address, "out", "the patch came directly: only its sender is answered");
      } else if (isWanted) offer(address, `in ${where} of the patch`);
      else put(address, "out", `in ${where} of the patch: people is "${config.reply.people}"`);
    }
  };
  people(mail.to, config.reply.people !== "none", "To");
  people(mail.cc, config.reply.people === "all", "Cc");

  let left = config.reply.maxRecipients;
  return {
    mode,
    list,
    places: [...places.values()].map((place) =>
      place.role === "out" || left-- > 0
        ? place
        : { ...place, role: "out", why: `over the cap of ${config.reply.maxRecipients} recipients` }
    ),
  };
}

/** The address with the name that the mail gives it. */
const named = (address: string, among: readonly Address[]): Address =>
  among.find((each) => sameAddress(each.address) === sameAddress(address)) ?? { name: "", address };
