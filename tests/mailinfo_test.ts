/**
 * The oracle of the mail reader is git: of every real mail with a diff, the diff in our body is the one that
 * `git mailinfo` extracts, or the difference has one of the reasons below.
 */
import assert from "node:assert/strict";
import { basename, join } from "@std/path";
import { inputs, isProblem, mailOf } from "../bot/source/files.ts";
import { unquotePrintable } from "../rules/engine/encoding.ts";

const MAILS = join(import.meta.dirname ?? "", "../../shared/mail");
/** Of the long mbox every fifth mail is compared: git takes 3 ms for each. */
const SAMPLED: Readonly<Record<string, number>> = { "stream.mbox": 5 };

/** What git made of a mail. */
interface Extracted {
  readonly isRead: boolean;
  /** The diff; "" when there is none. */
  readonly diff: string;
}

/** Why git and we may differ, decided by what is seen of the two results, never by which mail it is. */
const REASONS: Readonly<Record<string, (git: Extracted, ours: string) => boolean>> = {
  // git refuses a mail whose declared charset it cannot convert from (`charset=yes`, mislabelled gb2312).
  "git gives up on the charset": (git) => !git.isRead,
  // git converts the commit message to UTF-8 and passes the patch's bytes on as they are. We decode all of it.
  "git leaves the patch in its charset": (git, ours) =>
    git.diff.includes("\ufffd") &&
    asciiLetters(diffOf(git.diff.replaceAll("\ufffd", " "))) === asciiLetters(ours),
  // git appends every part, signatures in base64 included; we read the parts that can hold a diff.
  "git appends parts that are no text": (git, ours) => ours !== "" && isWithin(ours, git.diff),
  // Of some nested parts git does not see the transfer encoding; we decode it.
  "git leaves quoted-printable as it is": (git, ours) =>
    git.diff.includes("=3D") && asciiLetters(unquotePrintable(git.diff)) === asciiLetters(ours),
};

const asciiLetters = (text: string) => text.replace(/\s+|\P{ASCII}+/gu, "");

/** Whether the text's lines are found in the other text in order, with binary lines between them. */
function isWithin(text: string, other: string): boolean {
  const wanted = text.split("\n");
  let found = 0;
  let isBinary = false;
  for (const line of other.split("\n")) {
    if (line === wanted[found]) found++;
    else isBinary ||= /[\p{Cc}\ufffd]/u.test(line.replaceAll("\t", ""));
  }
  return found === wanted.length && isBinary;
}

/** From the first line of a diff to the signature, without trailing blanks; "" when there is no diff. */
function diffOf(text: string): string {
  const at = text.search(/^(?:diff -|Index: |--- \S|@@ -)/m);
  if (at < 0) return "";
  const lines = text.slice(at).split("\n").map((line) => line.trimEnd());
  const signature = lines.indexOf("--");
  return lines.slice(0, signature < 0 ? undefined : signature).join("\n").trimEnd();
}

async function extract(mail: Uint8Array, folder: string): Promise<Extracted> {
  const [message, patch] = [join(folder, "message"), join(folder, "patch")];
  const child = new Deno.Command("git", {
    args: ["mailinfo", message, patch],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(mail);
  await input.close();
  const { success } = await child.status;
  if (!success) return { isRead: false, diff: "" };
  const decoder = new TextDecoder();
  const text = decoder.decode(await Deno.readFile(message)) + decoder.decode(await Deno.readFile(patch));
  return { isRead: true, diff: diffOf(text) };
}

async function* noInput(): AsyncGenerator<Uint8Array, void, void> {}

/** Why nothing can be compared here; null when it can. */
async function obstacle(): Promise<string | null> {
  if ((await Deno.permissions.query({ name: "run", command: "git" })).state !== "granted") {
    return "git may not be run";
  }
  return await Deno.stat(MAILS).then(() => null, () => "no ../shared/mail");
}

const skipped = await obstacle();

Deno.test({
  name: `readMail() extracts the diff that git mailinfo extracts${
    skipped === null ? "" : ` (skipped: ${skipped})`
  }`,
  ignore: skipped !== null,
  async fn() {
    const folder = await Deno.makeTempDir();
    const differing = new Map<string, number>();
    const unexplained: string[] = [];
    let compared = 0;
    try {
      for await (const item of inputs([MAILS], noInput())) {
        assert.ok(!isProblem(item));
        const every = SAMPLED[basename(item.input)] ?? 1;
        if ((item.position ?? 0) % every !== 0) continue;
        const ours = diffOf((await mailOf(item)).body);
        const git = await extract(item.bytes, folder);
        if (ours === "" && git.diff === "") continue;
        compared++;
        if (ours === git.diff) continue;
        const reason = Object.entries(REASONS).find(([, holds]) => holds(git, ours))?.[0];
        if (reason === undefined) unexplained.push(`${item.input} ${item.position}`);
        else differing.set(reason, (differing.get(reason) ?? 0) + 1);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
    assert.deepEqual(unexplained, []);
    assert.ok(compared > 900, `${compared} mails compared`);
    // More than one in a hundred would be no list of exceptions any more.
    const differences = Array.from(differing.values()).reduce((sum, count) => sum + count, 0);
    assert.ok(
      differences * 100 < compared,
      `${differences} of ${compared} differ: ${JSON.stringify([...differing])}`,
    );
    console.log(
      `git mailinfo: ${compared - differences} of ${compared} diffs identical`,
      Object.fromEntries(differing),
    );
  },
});
