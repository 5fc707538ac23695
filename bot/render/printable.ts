/**
 * Makes a stranger's text fit to print. Everything that comes from a mail goes through here before it reaches a
 * terminal, a log or another program's screen. Pure.
 *
 * @module
 */

// Controls (C0 but for tab, DEL, C1: 0x9b is a one-byte CSI), format characters (bidirectional overrides,
// CVE-2021-42574; zero width; tags), lone surrogates, line and paragraph separators.
const HIDDEN = /(?!\t)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * The text with every control made visible: `\x1b`, `\u{202e}`. The result is one line; tabs stay.
 */
export function printable(text: string): string {
  return text.replace(HIDDEN, (sign) => {
    const code = sign.codePointAt(0)!;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

/** {@link printable} for text of several lines: the line ends stay. */
export function printableLines(text: string): string[] {
  return text.split("\n").map(printable);
}

/**
 * JSON with every control as an escape of JSON's own (RFC 8259 section 7): the document means the same.
 * JSON.stringify() alone lets DEL, C1 and the bidirectional overrides through.
 *
 * @param indent Blanks that a line is set in for each level; 0: all on one line
 */
export function printableJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).replace(
    HIDDEN,
    (sign) =>
      // Within a text it stands as \n: a bare one is the layout's.
      sign === "\n"
        ? sign
        : Array.from({ length: sign.length }, (_, at) => escapeUnit(sign.charCodeAt(at))).join(""),
  );
}

function escapeUnit(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, "0")}`;
}
