/**
 * Mails that mean harm, made from a seed: each kind in endless variations.
 *
 * @module
 */

import { BOT } from "./lab.ts";
import { AUTHOR, letter, LIST, mistake } from "./letters.ts";

/** A mail, and whether it may be answered at all. */
export interface Hostile {
  readonly kind: string;
  readonly id: string;
  readonly bytes: Uint8Array;
  /** `never`: an answer would be a fault; `maybe`: it is a patch after all. */
  readonly answer: "never" | "maybe";
}

type Random = () => number;
type Maker = (id: string, next: Random) => { readonly text: string; readonly answer: Hostile["answer"] };

const pick = <Item>(items: readonly Item[], next: Random): Item => items[Math.floor(next() * items.length)]!;
const upTo = (most: number, next: Random): number => Math.floor(next() * most);
/** Random bytes, one character each. */
const noise = (length: number, next: Random): string =>
  Array.from({ length }, () => String.fromCharCode(upTo(256, next))).join("");

const OWN_ID = "p2plint.0123456789abcdef0123@bots.example.net";
const BREAKS = ["\r\n", "\n", "\r", "\u2028", "\u0085", "\0", "\x0b", "\x1b[2J"];

/** An encoded word that decodes to a line break and a header. */
const injected = (next: Random): string => {
  const payload = `${pick(BREAKS, next)}Bcc: victim@evil.example${pick(BREAKS, next)}${
    pick(BREAKS, next)
  }body`;
  const bytes = new TextEncoder().encode(payload);
  return next() < 0.5
    ? `=?utf-8?b?${btoa(String.fromCharCode(...bytes))}?=`
    : `=?utf-8?q?${[...bytes].map((byte) => `=${byte.toString(16).padStart(2, "0")}`).join("")}?=`;
};

const KINDS: Readonly<Record<string, Maker>> = {
  "header injection": (id, next) => ({
    text: letter({
      id,
      from: `${injected(next)} <a${upTo(999, next)}@example.com>`,
      to: `"${injected(next)}" <p@example.net>, ${LIST.address}`,
      subject: `[PATCH] ${injected(next)} foo ${id}`,
      references: [`ref${upTo(9, next)}@example.com`, `a\x01b@example.com`],
    }),
    answer: "maybe",
  }),
  "nested MIME": (id, next) => {
    const depth = 1 + upTo(400, next);
    const open = Array.from(
      { length: depth },
      (_, at) => `Content-Type: multipart/mixed; boundary="b${at}"\n\n--b${at}\n`,
    );
    const body = `${open.slice(1).join("")}Content-Type: text/plain\n\n${mistake()}\n`;
    return {
      text: letter({
        id,
        subject: `[PATCH] mime ${id}`,
        more: ['Content-Type: multipart/mixed; boundary="b0"'],
        body: `--b0\n${body}`,
      }),
      answer: "maybe",
    };
  },
  "huge headers": (id, next) => ({
    text: letter({
      id,
      subject: `[PATCH] ${"x".repeat(upTo(100_000, next))} ${id}`,
      more: Array.from(
        { length: upTo(3000, next) },
        (_, at) => `X-Junk-${at}: ${"y".repeat(upTo(100, next))}`,
      ),
      references: Array.from({ length: upTo(2000, next) }, (_, at) => `r${at}@example.com`),
    }),
    answer: "maybe",
  }),
  "bad charsets": (id, next) => ({
    text: letter({
      id,
      from: `${noise(20, next).replace(/[\r\n]/g, "")} <a@example.com>`,
      subject: `[PATCH] =?${pick(["y", "utf-7", "x-none", "utf-16", "\0"], next)}?b?${
        btoa(noise(30, next))
      }?= ${id}`,
      more: [
        `Content-Type: text/plain; charset=${
          pick(["y", '"all"', "utf-7", "utf-16le", "iso-2022-jp", "hz-gb-2312", "x"], next)
        }`,
        `Content-Transfer-Encoding: ${
          pick(["8bit", "base64", "quoted-printable", "x-uuencode", "rot13"], next)
        }`,
      ],
      body: mistake().replace("foo->len,", `foo->len /* ${noise(50, next)} */,`),
    }),
    answer: "maybe",
  }),
  "paths that lead out": (id, next) => ({
    text: letter({
      id,
      subject: `[PATCH] paths ${id}`,
      body: mistake(pick([
        "../../../../etc/passwd",
        "/etc/cron.d/x",
        "drivers/../../../tmp/x.c",
        "drivers/foo\0bar.c",
        "drivers/$(reboot).c",
        "drivers/\x1b]0;x\x07.c",
        ".git/hooks/post-commit",
        "C:\\windows\\x.c",
      ], next)),
    }),
    answer: "maybe",
  }),
  "fake List-Id": (id, next) => {
    const made = pick([
      { list: null, more: [`X-List-Id: <${LIST.id}>`] },
      { list: `${LIST.id}.evil.example` },
      { list: `evil.example> ${LIST.id}`.replace(">", "") },
      { list: LIST.id, more: [`List-Id: <${LIST.id}>`] },
      { list: null, more: [`List-Post: <mailto:${LIST.address}>`, `X-Mailing-List: ${LIST.address}`] },
      { list: null, more: [`Comments: x`, ` List-Id: <${LIST.id}>`] },
    ], next);
    return { text: letter({ id, subject: `[PATCH] fake ${id}`, ...made }), answer: "never" };
  },
  "loops of programs": (id, next) => {
    const made = pick([
      { from: BOT },
      { from: `p2plint <${BOT.toUpperCase()}>` },
      { from: "p2plint <p2plint@other.example>" },
      { more: ["Auto-Submitted: auto-replied"] },
      { more: ["AUTO-SUBMITTED: Auto-Generated; x=y"] },
      { more: ["X-P2plint: version=1"] },
      { more: ["X-Loop: p2plint"] },
      { more: ["Precedence: auto_reply"] },
      { from: "MAILER-DAEMON@example.net", subject: "Undelivered: [PATCH] x" },
      { subject: "Re: Re: Re: [PATCH] x", inReplyTo: OWN_ID },
      { subject: "Automatic reply: [PATCH] x", inReplyTo: OWN_ID },
      { from: "syzbot <syzbot+1@syzkaller.appspotmail.com>" },
    ], next);
    return { text: letter({ id, subject: `[PATCH] loop ${id}`, ...made }), answer: "never" };
  },
  "ids that are none": (id, next) => {
    const bad = pick([
      "",
      " ",
      `${"x".repeat(10_000)}@x`,
      "a b@c",
      `ü${id}`,
      `<<${id}>>`,
      `"${id}"`,
      `${id}\\`,
      "no-at",
    ], next);
    const text = letter({ id: "REPLACED", subject: `[PATCH] id ${id}` }).replace("<REPLACED>", `<${bad}>`);
    return { text: next() < 0.3 ? text.replace(/^Message-ID:.*\n/m, "") : text, answer: "maybe" };
  },
  "bombs of addresses": (id, next) => ({
    text: letter({
      id,
      subject: `[PATCH] crowd ${id}`,
      to: pick([
        Array.from({ length: 3000 }, (_, at) => `p${at}@example.net`).join(",\n "),
        `${"(".repeat(2000)}x${")".repeat(2000)} p@example.net`,
        `${"a:".repeat(2000)} p@example.net;`,
        `"${"\\".repeat(5001)}" <p@example.net>`,
        `<${"@a,".repeat(1000)}:p@example.net>`,
        `p@example.net <victim@evil.example>`,
        `"p@example.net, victim@evil.example" <q@example.net>`,
      ], next) + `, ${LIST.address}`,
    }),
    answer: "maybe",
  }),
  "heads that are broken": (id, next) => {
    const whole = letter({ id, subject: `[PATCH] broken ${id}` });
    const made = pick([
      whole.replace(/^From:.*\n/m, ""),
      whole.replace(/^From:/m, `From: other@evil.example\nFrom:`),
      whole.replace(/^Date:.*/m, `Date: ${noise(40, next).replace(/[\r\n]/g, "")}`),
      whole.replace("\n\n", "\n \n"),
      whole.replaceAll("\n", "\r"),
      whole.slice(0, upTo(whole.length, next)),
      noise(5000, next),
      "",
    ], next);
    return { text: made, answer: "maybe" };
  },
  "commands of strangers": (id, next) => ({
    text: letter({
      id,
      from: pick([AUTHOR, "eve@evil.example", `${BOT}`], next),
      subject: `Re: [PATCH] foo ${id}`,
      inReplyTo: pick(
        [OWN_ID, "p2plint.ffffffffffffffffffff@bots.example.net", `${OWN_ID}' OR '1'='1`],
        next,
      ),
      body: `${
        pick([
          "p2plint: stop",
          "p2plint: false-positive '; DROP TABLE mail; --",
          `p2plint: fixed ${"x".repeat(9999)}`,
        ], next)
      }\n`.repeat(1 + upTo(300, next)),
    }),
    answer: "never",
  }),
  "subjects to trip over": (id, next) => ({
    text: letter({
      id,
      subject: pick([
        "[".repeat(20_000),
        `${"[PATCH".repeat(3000)}] x`,
        `[PATCH ${"9".repeat(500)}/${"9".repeat(500)}] x`,
        "[PATCH 1/9999] x",
        "[PATCH v999 9999/9999] x",
        `${"Re: ".repeat(5000)}[PATCH] x`,
        `[PATCH] ${"=?utf-8?q?".repeat(3000)}`,
      ], next) + ` ${id}`,
    }),
    answer: "maybe",
  }),
  "diffs that explode": (id, next) => ({
    text: letter({
      id,
      subject: `[PATCH] bomb ${id}`,
      body: pick([
        mistake().replace(/@@ -0,0 \+1,\d+ @@/, "@@ -0,0 +1,999999999 @@"),
        mistake().replace("foo->len,", `${"(".repeat(5000)}foo->len${")".repeat(5000)},`),
        mistake().replace("\treturn addr;", `\t${"if (x) { ".repeat(2000)}`),
        `${mistake()}${"@@ -1 +1 @@\n-a\n+b\n".repeat(2000)}`,
        mistake(undefined, `f${"o".repeat(20_000)}`),
        mistake(undefined, undefined, 8000),
      ], next),
    }),
    answer: "maybe",
  }),
};

/** So many mails, of each kind alike. */
export function* hostileMails(count: number, next: Random): Generator<Hostile, void, void> {
  const kinds = Object.entries(KINDS);
  for (let at = 0; at < count; at++) {
    const [kind, make] = kinds[at % kinds.length]!;
    const id = `hostile-${at}@example.com`;
    const { text, answer } = make(id, next);
    // What is a byte stays one, the rest is UTF-8.
    // deno-lint-ignore no-control-regex -- bytes are what it asks for
    const isBytes = /^[\x00-\xff]*$/.test(text);
    yield {
      kind,
      id,
      answer,
      bytes: isBytes ? Uint8Array.from(text, (sign) => sign.charCodeAt(0)) : new TextEncoder().encode(text),
    };
  }
}
