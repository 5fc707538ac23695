/**
 * The text of one MIME leaf and which leaves of a message git would look at. Pure: transfer decoding of the leaf is
 * done before; the tree of parts is mail.ts's business.
 *
 * @module
 */
import { decodeText } from "./encoding.ts";
import type { Parameterised } from "./header.ts";
import { plain } from "./plain.ts";
import type { Defect } from "./types.ts";

/** A part without parts, its transfer encoding taken off. */
export interface Leaf {
  readonly type: Parameterised;
  /** Of Content-Disposition or the `name` parameter; null when there is none. */
  readonly filename: string | null;
  readonly bytes: Uint8Array;
}

/** What a leaf says. */
export interface LeafText {
  readonly text: string;
  /** The lines as sent when `text` joins flowed lines; the same as `text` otherwise. */
  readonly raw: string;
  readonly defects: readonly Defect[];
}

const PATCH_NAME = /\.(?:patch|diff)$/i;
const PATCH_TYPE = /^(?:text|application)\/(?:x-)?(?:patch|diff)$/;

/** Whether the leaf is a patch somebody attached, whatever type their mailer gave it. */
function isAttachedPatch(leaf: Leaf): boolean {
  return PATCH_TYPE.test(leaf.type.value) || (leaf.filename !== null && PATCH_NAME.test(leaf.filename));
}

/** Types that are text but never a patch: signatures, invitations, the other shape of an alternative. */
const NO_PATCH_TEXT = /^text\/(?:html|rtf|richtext|enriched|calendar|vcard|x-vcard|directory|x-amp-html)$/;

/**
 * Whether the leaf belongs to the text that is read. git reads every leaf, signatures and HTML too; none of those it
 * adds can hold a diff that applies.
 */
export function isReadable(leaf: Leaf): boolean {
  const type = leaf.type.value;
  if (isAttachedPatch(leaf)) return true;
  return type === "" || (type.startsWith("text/") && !NO_PATCH_TEXT.test(type));
}

/**
 * Joins the lines of a format=flowed text as git mailinfo does (`handle_filter_flowed`): one stuffed blank goes, a
 * line that ends in a blank continues in the next, the signature mark stays. RFC 3676 4.
 */
export function unflow(text: string, deletesBlank: boolean): string {
  const joined: string[] = [];
  let held = "";
  for (const line of text.split("\n")) {
    if (line === "-- ") {
      if (held !== "") joined.push(held);
      held = "";
      joined.push(line);
      continue;
    }
    const unstuffed = line.startsWith(" ") ? line.slice(1) : line;
    if (unstuffed.endsWith(" ")) {
      held += deletesBlank ? unstuffed.slice(0, -1) : unstuffed;
      continue;
    }
    joined.push(held + unstuffed);
    held = "";
  }
  if (held !== "") joined.push(held);
  return joined.join("\n");
}

/**
 * Line ends to LF, decided by the first line: when it ends in CRLF, so does the transport, and every CR before a LF
 * goes; otherwise a CR belongs to a file with DOS line ends, and stays.
 */
export function unixLines(text: string): string {
  const end = text.indexOf("\n");
  return end > 0 && text[end - 1] === "\r" ? text.replaceAll("\r\n", "\n") : text;
}

/** Bytes of a leaf to text: charset, line ends, flowed lines. */
export function readLeaf(leaf: Leaf): LeafText {
  const { parameters } = leaf.type;
  const charset = parameters.get("charset") ?? null;
  const decoded = decodeText(leaf.bytes, charset);
  const raw = unixLines(decoded.text);
  const isFlowed = parameters.get("format")?.toLowerCase() === "flowed" && !isAttachedPatch(leaf);
  return {
    raw,
    text: isFlowed ? unflow(raw, parameters.get("delsp")?.toLowerCase() === "yes") : raw,
    defects: decoded.isSure ? [] : [{
      damage: "charset",
      bodyNo: null,
      reason: charset === null
        ? "no charset is declared and the text is not utf-8: read as latin1"
        : `the text is neither utf-8 nor the declared charset ${plain(charset)}: read as latin1`,
    }],
  };
}
