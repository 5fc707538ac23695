/**
 * C as HTML: the tokens of a line in spans. It knows comments, strings, numbers, keywords and calls, and nothing of what
 * they mean. Pure.
 *
 * @module
 */

import { escapeMarkup } from "./markup.ts";

/** Whether a line begins inside a block comment. */
export interface State {
  readonly isComment: boolean;
}

/** Outside of everything. */
export const START: State = { isComment: false };

const KEYWORDS = new Set(
  ("break case const continue default do else enum extern for goto if inline register return sizeof static struct switch " +
    "typedef union volatile while NULL true false").split(" "),
);
const TYPES = new Set(
  ("bool char double float int long short signed size_t ssize_t unsigned void phys_addr_t dma_addr_t resource_size_t " +
    "pci_bus_addr_t u8 u16 u32 u64 s8 s16 s32 s64 __le16 __le32 __le64 __be16 __be32 __be64 __iomem").split(
      " ",
    ),
);
const TOKEN =
  /\/\/.*|\/\*.*?(?:\*\/|$)|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|\b\d[\w.]*|[A-Za-z_]\w*|\s+|[^\w\s"'/]+|./gsu;

/** One line. `marks` are 0-based columns: the token at each is marked. */
export function highlight(
  line: string,
  before: State,
  marks: readonly number[] = [],
): { html: string; after: State } {
  let html = "";
  let at = 0;
  let isComment = before.isComment;
  const put = (text: string, css: string) => {
    const isMarked = marks.some((column) => column >= at && column < at + text.length);
    at += text.length;
    const escaped = escapeMarkup(text);
    const inner = css === "" ? escaped : `<span class="${css}">${escaped}</span>`;
    html += isMarked ? `<mark>${inner}</mark>` : inner;
  };
  let rest = line;
  if (isComment) {
    const end = rest.indexOf("*/");
    const comment = end === -1 ? rest : rest.slice(0, end + 2);
    put(comment, "c");
    rest = rest.slice(comment.length);
    isComment = end === -1;
  } else if (/^\s*#/.test(rest)) {
    const directive = /^\s*#\s*\w*/.exec(rest)![0];
    put(directive, "p");
    rest = rest.slice(directive.length);
  }
  for (const { 0: token, index } of rest.matchAll(TOKEN)) {
    put(token, cssOf(token, rest.slice(index + token.length)));
    if (token.startsWith("/*")) isComment = token.length < 4 || !token.endsWith("*/");
  }
  return { html, after: { isComment } };
}

function cssOf(token: string, rest: string): string {
  if (token.startsWith("//") || token.startsWith("/*")) return "c";
  if (token.startsWith('"') || token.startsWith("'")) return "s";
  if (/^\d/.test(token)) return "n";
  if (KEYWORDS.has(token)) return "k";
  if (TYPES.has(token)) return "t";
  return /^[A-Za-z_]/.test(token) && rest.startsWith("(") ? "f" : "";
}

/** Prose with `code` in it. */
export function prose(text: string): string {
  // An odd backtick is just a sign.
  return text.split(/(`[^`]+`)/).map((part) =>
    part.length > 2 && part.startsWith("`") && part.endsWith("`")
      ? `<code>${escapeMarkup(part.slice(1, -1))}</code>`
      : escapeMarkup(part)
  ).join("");
}
