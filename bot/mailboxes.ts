/**
 * What an address is: a list, a relay, a robot. Knows the lists of the kernel's world by how they look; what the
 * configuration names wins. Pure.
 *
 * @module
 */

import { readAddresses } from "../rules/engine/address.ts";
import type { Address, Mail } from "../rules/engine/types.ts";

/** Addresses are compared so: no server of today tells `Jane@` from `jane@`. */
export const sameAddress = (address: string): string => address.toLowerCase();

/** Domains that hold nothing but lists, and list servers by their names. */
const LIST_DOMAIN = /^(?:vger\.kernel\.org|kvack\.org|googlegroups\.com|(?:.+\.)?lists?\..+)$/;
/** `linux-foo@…`, `foo-devel@…`: lists that live among people. */
const LIST_LOCAL = /^(?:linux-[\w-]+|[\w-]+-(?:devel|list|kernel|dev))$/;

/** Whether an address looks like a mailing list. */
export function isListLike(address: string): boolean {
  const [local = "", domain = ""] = split(address);
  return LIST_DOMAIN.test(domain) || LIST_LOCAL.test(local);
}

/** Addresses whose mail is confidential: nothing that was on them goes to a public list. */
export const isConfidential = (address: string): boolean =>
  /^(?:security@kernel\.org|(?:linux-)?distros@vs\.openwall\.org)$/.test(sameAddress(address));

/** b4's relay and its like: mail to them is thrown away. */
export const isRelay = (address: string): boolean =>
  /^(?:devnull|no-?reply|bounces?)\b/.test(sameAddress(address));

/** Robots that write to the kernel's lists, and addresses that no human reads. */
const ROBOTS = [
  "lkp@intel.com",
  "oliver.sang@intel.com",
  "syzbot*@*",
  "patchwork-bot+*@kernel.org",
  "sashiko*@kernel.org",
  "bot+*@kernel.org",
  "pr-tracker-bot@kernel.org",
  "bugzilla-daemon@kernel.org",
  "tip-bot2@*",
  "*bot@kernelci.org",
  "bot@kernelci.org",
  "*.test.bot@gmail.com",
  "patchwork@*",
  "p2plint*@*",
  "mailer-daemon@*",
  "postmaster@*",
  "no-reply@*",
  "noreply@*",
];

/** Whether an address is one of a robot. */
export const isRobot = (address: string): boolean => matchesAny(address, ROBOTS);

/** Whether an address fits one of the patterns; `*` stands for anything. */
export function matchesAny(address: string, patterns: readonly string[]): boolean {
  const wanted = sameAddress(address);
  return patterns.some((pattern) => fits(wanted, sameAddress(pattern)));
}

/** Piece by piece instead of by a regular expression: an address of stars must not take a second. */
function fits(value: string, pattern: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return value === pattern;
  const last = rest.pop()!;
  if (!value.startsWith(first) || !value.endsWith(last)) return false;
  let at = first.length;
  for (const piece of rest) {
    const found = value.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= value.length - last.length;
}

/**
 * Who sent the patch and reads the answer. A relay's or a list's own From is unmasked by X-Original-From, Reply-To
 * and the author in the body, in this order; null when nobody is left.
 */
export function submitterOf(mail: Mail, isList: (address: string) => boolean): Address | null {
  const isNobody = ({ address }: Address) => isRelay(address) || isList(address) || isListLike(address);
  const fields = ["x-original-from", "reply-to"].flatMap((name) =>
    (mail.headers.get(name) ?? []).flatMap((value) => readAddresses(value))
  );
  const candidates = [mail.from, ...fields, mail.author].filter((address) => address !== null);
  return candidates.find((address) => !isNobody(address)) ?? null;
}

/** Local part and domain, lower case. */
export function split(address: string): readonly [local: string, domain: string] {
  const lower = sameAddress(address);
  const at = lower.lastIndexOf("@");
  return [lower.slice(0, at), lower.slice(at + 1)];
}
