/**
 * A cheap look at a message's bytes: can anything in it matter? Most mails of a list are never decoded for it. Knows
 * no word of its own. May say yes wrongly, never no.
 *
 * @module
 */
import { toLatin1, unquotePrintable } from "./encoding.ts";
import { bodyOffset, headOffset } from "./header.ts";

/** See {@link createPrefilter}. */
export interface Prefilter {
  /**
   * Whether one of the words stands where code can be: behind the first `@@ -` of the message, or before it on a
   * line that starts like a line of a diff or a quote. The message may be masked or not, with head or without;
   * not for a source file, in which every line is code.
   */
  mayMatter(message: Uint8Array): boolean;
}

/** What a line of a fragment starts with that is quoted before, or without, the first hunk. */
const FRAGMENT_START = "+->|";
/** Without any hunk in the message, a line that lost its prefix or is context of a fragment counts too. */
const LOOSE_START = `${FRAGMENT_START} \t\xa0`;

/** Paths are no code: `drivers/p2p.c` in a file header says nothing. */
const isPathLine = (text: string, lineAt: number): boolean =>
  text.startsWith("+++ b/", lineAt) || text.startsWith("--- a/", lineAt) ||
  text.startsWith("diff --git a/", lineAt);

/** The message is not one leaf of plain bytes. */
const PARTS = /^content-type:[ \t]*(?:\r?\n[ \t]+)?(?:multipart|message)\//im;
const ENCODED = /^content-transfer-encoding:\s*["']?(?:base64|quoted|x-|uu)/im;
const BASE64 = /^content-transfer-encoding:\s*["']?(?:base64|x-|uu)/im;
/** Soft breaks that go with their blank may cut a word in two (RFC 3676 4.5). */
const DELSP = /delsp/i;

const escapeRegExp = (word: string): string => word.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

/** Prepares a look for the words, which are ASCII and taken literally, case and all. */
export function createPrefilter(words: readonly string[]): Prefilter {
  if (words.length === 0) return { mayMatter: () => false };
  const wanted = new RegExp(words.map(escapeRegExp).join("|"), "g");

  const hasWord = (text: string, bodyAt: number): boolean => {
    let hunkAt: number | null = null;
    for (wanted.lastIndex = bodyAt;;) {
      const hit = wanted.exec(text);
      if (hit === null) return false;
      hunkAt ??= text.indexOf("@@ -", bodyAt);
      const lineAt = Math.max(bodyAt, text.lastIndexOf("\n", hit.index) + 1);
      const isInHunk = hunkAt >= 0 && hunkAt < hit.index;
      const starts = hunkAt < 0 ? LOOSE_START : FRAGMENT_START;
      if ((isInHunk || starts.includes(text[lineAt] ?? "")) && !isPathLine(text, lineAt)) return true;
      // One look per line is enough.
      const end = text.indexOf("\n", hit.index);
      if (end < 0) return false;
      wanted.lastIndex = end;
    }
  };

  return {
    mayMatter(message: Uint8Array): boolean {
      const raw = toLatin1(message);
      const text = raw.slice(headOffset(raw));
      const bodyAt = bodyOffset(text);
      const head = text.slice(0, bodyAt);
      if (PARTS.test(head)) {
        // One encoded part is enough to decode all of it; such mails are few.
        return ENCODED.test(text.slice(bodyAt)) || ENCODED.test(head) || hasWord(text, bodyAt);
      }
      if (DELSP.test(head)) return true;
      if (ENCODED.test(head)) {
        return BASE64.test(head) || hasWord(unquotePrintable(text.slice(bodyAt)), 0);
      }
      return hasWord(text, bodyAt);
    },
  };
}
