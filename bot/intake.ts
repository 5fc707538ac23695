/**
 * Which mails are judged. Decides by the head, before a mail is fetched, and again by the paths of its diff. Every
 * refusal has a reason that the journal keeps. Pure.
 *
 * @module
 */

import type { Mail, Patch, Subject } from "../rules/engine/types.ts";
import type { Config } from "./watch_config.ts";
import { isRobot, matchesAny, sameAddress, split } from "./mailboxes.ts";
import { listIdOf } from "./recipients.ts";

/** What of a head has to be fetched for {@link admit}, and for the recipients of a reply to a verdict. */
export const HEAD_FIELDS: readonly string[] = [
  "message-id",
  "in-reply-to",
  "references",
  "from",
  "to",
  "cc",
  "reply-to",
  "date",
  "subject",
  "list-id",
  "return-path",
  "auto-submitted",
  "precedence",
  "x-loop",
  "x-p2plint",
  "x-patchwork-hint",
  "x-stable",
  "x-stable-base",
  "x-original-from",
];

/** What to do with a mail. */
export type Admission =
  | { readonly act: "skip"; readonly reason: string }
  /** A post of ours that came back. */
  | { readonly act: "own" }
  /** An answer to us, with a verdict in it perhaps. */
  | { readonly act: "answer"; readonly posts: readonly string[]; readonly list: string }
  | { readonly act: "patch"; readonly list: string };

/** What the server says of a mail. */
export interface Circumstances {
  readonly size: number;
  readonly arrived: number;
  readonly now: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;

const skip = (reason: string): Admission => ({ act: "skip", reason });

/** Message-IDs that fit a header of ours: RFC 5322 3.6.4 in what is really used. */
const QUOTABLE_ID = /^[\x21-\x7e]{3,250}$/;
const isQuotable = (id: string): boolean => QUOTABLE_ID.test(id) && !/[<>"\\]/.test(id);

/** The Message-ID of the post with this id. */
export const postMessageId = (id: string, config: Config): string =>
  `p2plint.${id}@${split(config.bot.address)[1]}`;

/** The ids of posts of ours among Message-IDs, by their look alone. */
export function postIdsIn(messageIds: readonly string[], config: Config): readonly string[] {
  const domain = split(config.bot.address)[1];
  return messageIds.flatMap((messageId) => {
    const found = /^p2plint\.([0-9a-f]{20})@(.+)$/.exec(messageId.toLowerCase());
    return found !== null && found[2] === domain ? [found[1]!] : [];
  });
}

/** Decides by the head. The order is the order of trust: what might be a loop is refused before anything else. */
export function admit(mail: Mail, { size, arrived, now }: Circumstances, config: Config): Admission {
  const { messageId, subject, from } = mail;
  const field = (name: string) => (mail.headers.get(name) ?? []).join(", ").trim().toLowerCase();

  if (messageId === null) return skip("no Message-ID: there is nothing to answer to");
  if (!isQuotable(messageId)) return skip("a Message-ID that no header can quote");
  if (from === null) return skip("no sender");
  const isOwnId = postIdsIn([messageId], config).length > 0;
  if (sameAddress(from.address) === sameAddress(config.bot.address)) {
    return isOwnId ? { act: "own" } : skip("sent by the bot's address");
  }
  if (isOwnId) return skip("a Message-ID of ours, from somebody else");
  if (field("x-p2plint") !== "" || /p2plint/.test(field("x-loop"))) return skip("sent by another p2plint");
  // RFC 3834 section 2: a responder does not answer what another one sent.
  if (!/^(?:no\b.*)?$/.test(field("auto-submitted"))) return skip("sent by a program (Auto-Submitted)");

  const through = admittedThrough(mail, config);
  if ("reason" in through) return skip(through.reason);
  // Lists set `bulk` and `list` themselves; from elsewhere it marks mail that wants no answer.
  const precedence = field("precedence");
  if (/junk|auto_reply/.test(precedence) || (!through.isList && /bulk|list/.test(precedence))) {
    return skip(`Precedence is ${/\w+/.exec(precedence)?.[0] ?? "set"}`);
  }
  if (isRobot(from.address)) return skip("sent by a robot");
  if (matchesAny(from.address, config.intake.ignore)) return skip("sender is ignored by the configuration");

  const posts = postIdsIn([...mail.references, ...(mail.inReplyTo === null ? [] : [mail.inReplyTo])], config);
  if (subject.isReply || !subject.isPatch) {
    if (posts.length > 0 && size <= config.intake.maxMailBytes) {
      return { act: "answer", posts: [...new Set(posts)], list: through.list };
    }
    return skip(subject.isReply ? "a reply" : "no patch");
  }

  if (size > config.intake.maxMailBytes) {
    return skip(`too large: ${size} bytes, the limit is ${config.intake.maxMailBytes}`);
  }
  const sent = Date.parse(mail.date ?? "");
  // What was sent long ago is old however late it arrives; a Date in the future is no date.
  const time = Number.isNaN(sent) ? arrived : Math.min(sent, arrived);
  if (time < now - config.intake.maxAgeDays * DAY_MS) {
    return skip(`older than ${config.intake.maxAgeDays} days`);
  }
  if (/\bignore\b/.test(field("x-patchwork-hint"))) return skip("X-Patchwork-Hint: ignore");
  if (field("x-stable") !== "" || field("x-stable-base") !== "" || isForStable(subject)) {
    return skip("for a stable tree: it was reviewed for mainline");
  }
  const project = foreignProject(subject);
  if (project !== null) return skip(`for another project: ${project}`);
  return { act: "patch", list: through.list };
}

/** The list or sender that lets a mail in. A forged or doubled List-Id lets nothing in. */
function admittedThrough(
  mail: Mail,
  { lists, senders }: Config,
): { readonly list: string; readonly isList: boolean } | { readonly reason: string } {
  const ids = mail.headers.get("list-id") ?? [];
  if (ids.length > 1) return { reason: "more than one List-Id" };
  const id = ids[0] === undefined ? null : listIdOf(ids[0]);
  const list = lists.find((each) => each.id.toLowerCase() === id);
  if (list !== undefined) {
    if (list.returnPathDomain !== null) {
      const path = /<?([^<>\s]*)>?/.exec(mail.headers.get("return-path")?.[0] ?? "")?.[1] ?? "";
      const [, domain] = split(path);
      const wanted = list.returnPathDomain.toLowerCase();
      if (domain !== wanted && !domain.endsWith(`.${wanted}`)) {
        return { reason: `List-Id of ${list.id}, not sent by its server` };
      }
    }
    return { list: list.id, isList: true };
  }
  const sender = senders.find(({ address }) => sameAddress(address) === sameAddress(mail.from!.address));
  if (sender !== undefined && id === null) return { list: sender.address, isList: false };
  return { reason: id === null ? "came through no list" : "came through a list that is not configured" };
}

/** `[PATCH 6.1 12/30]`, `[PATCH AUTOSEL 5.15]`, `[PATCH 6.6.y]`, `[PATCH stable]`. */
export const isForStable = (subject: Subject): boolean =>
  subject.tags.some((tag) =>
    /^(?:autosel.*|(?:linux-)?stable.*|v?[3-9]\.\d{1,2}(?:[.-](?:\d+|y|stable.*|rc\d*))?)$/i.test(tag)
  );

/** Projects whose patches come to the kernel's lists, by the tag that they ask for. */
const PROJECTS = new Set(
  ("xfstests fstests blktests iproute2 iproute ethtool rdma-core perftest libdrm igt igt-gpu-tools mesa weston qemu " +
    "kvmtool kvm-unit-tests nvme-cli libnvme util-linux btrfs-progs xfsprogs e2fsprogs f2fs-tools mdadm ndctl " +
    "pciutils bluez libgpiod i2c-tools u-boot uboot edk2 opensbi dtc sparse smatch b4 pahole dwarves lvm2 fio ltp " +
    "liburing trinity selinux-testsuite libsepol nft nftables iptables conntrack-tools ipset man-pages wpa hostap " +
    "alsa-lib alsa-utils v4l-utils libcamera linux-firmware dt-schema buildroot openembedded meta xen seabios spdk dpdk")
    .split(" "),
);

/** The project that a tag of the subject names; null when none does. */
function foreignProject({ tags }: Subject): string | null {
  for (const tag of tags) {
    const name = tag.toLowerCase().replace(/-next$/, "");
    if (PROJECTS.has(name)) return name;
  }
  return null;
}

/** Every folder at the top of v6.12, and those that earlier patches knew. */
const KERNEL_FOLDERS = new Set(
  ("arch block certs crypto Documentation drivers firmware fs include init io_uring ipc kernel lib LICENSES mm net " +
    "rust samples scripts security sound tools usr virt").split(" "),
);

/** Why the files of a patch are not the kernel's; null when they may be. */
export function foreignPath(patch: Patch): string | null {
  const paths = patch.files.flatMap(({ newPath, oldPath }) => newPath ?? oldPath ?? []);
  const strange = paths.find((path) => path.includes("/") && !KERNEL_FOLDERS.has(path.split("/", 1)[0]!));
  return strange === undefined ? null : strange.split("/", 1)[0]!;
}
