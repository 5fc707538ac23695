/**
 * Makes kernel C digestible for a C grammar without moving a single character: comments, attributes and the
 * macros that bend the syntax are overwritten in place, so that every offset and column stays the author's.
 * Knows the kernel's syntax macros, no kernel function by meaning. Pure.
 *
 * @module
 */

import type { At } from "./ast.ts";

/** Text in which every offset is the same as in the original. */
export interface Softened {
  readonly text: string;
  /** Offsets at which a loop macro stood that now reads `while`. */
  readonly loops: ReadonlySet<number>;
}

const blank = (text: string) => text.replace(/[^\n\t]/g, " ");

/** Where the string or character constant that opens at `at` closes, or its line ends. */
export function endOfLiteral(text: string, at: number): number {
  const quote = text[at];
  let i = at + 1;
  while (i < text.length && text[i] !== quote && text[i] !== "\n") i += text[i] === "\\" ? 2 : 1;
  return i;
}

/**
 * Where the comments of a text are, signs included, in order. A comment that the text starts within, or that it does
 * not end, is handled by the caller, who knows where lines are missing.
 */
export function commentsIn(text: string): At[] {
  const comments: At[] = [];
  if (!text.includes("/*") && !text.includes("//")) return comments;
  let i = 0;
  while (i < text.length) {
    const c = text.charCodeAt(i);
    if (c === 0x22 || c === 0x27) i = endOfLiteral(text, i) + 1;
    else if (c === 0x2f && (text[i + 1] === "*" || text[i + 1] === "/")) {
      const isBlock = text[i + 1] === "*";
      const close = text.indexOf(isBlock ? "*/" : "\n", i + 2);
      const end = close === -1 ? text.length : isBlock ? close + 2 : close;
      comments.push({ start: i, end });
      i = end;
    } else i++;
  }
  return comments;
}

/** Overwrites the {@link commentsIn} a text with blanks. */
export function stripComments(text: string): string {
  let out = "";
  let from = 0;
  for (const { start, end } of commentsIn(text)) {
    out += text.slice(from, start) + blank(text.slice(start, end));
    from = end;
  }
  return out + text.slice(from);
}

// include/linux/compiler_types.h, compiler_attributes.h, init.h: they annotate and change no address.
const ATTRIBUTES = new RegExp(
  String
    .raw`\b(?:__iomem|__user|__force|__kernel|__percpu|__rcu|__bitwise|__init|__exit|__initdata|__initconst|` +
    String
      .raw`__devinit|__devexit|__devinitdata|__refdata|__ref|__always_inline|__always_unused|__maybe_unused|__must_check|__cold|__hot|` +
    String
      .raw`__pure|__attribute_const__|__packed|__read_mostly|__ro_after_init|__cacheline_aligned(?:_in_smp)?|` +
    String
      .raw`____cacheline_aligned(?:_in_smp)?|__weak|__visible|__noreturn|__used|__unused|__private|__nocast|__safe|` +
    String
      .raw`__deprecated|__sched|__noclone|__randomize_layout|__no_sanitize_address|noinline(?:_for_stack)?|notrace|asmlinkage|` +
    String.raw`__cpuidle|__net_init|__net_exit|__meminit|__latent_entropy|__malloc|__nonstring|fallthrough|` +
    String
      .raw`uninitialized_var|__bpf_kfunc|__inline__|__inline|__restrict|__always_used|noinline_for_kasan)\b`,
  "g",
);
const ATTRIBUTE_CALLS =
  /\b(?:__printf|__scanf|__aligned|__alloc_size|__free|__cleanup|__acquires|__releases|__must_hold|__attribute__|__counted_by(?:_le|_be)?|__section|__assume_aligned|__context_unsafe|__guarded_by|__realloc_size|__compiletime_error)\s*\((?:[^()]|\([^()]*\)|\(\([^()]*(?:\([^()]*\))?[^()]*\)\))*\)/g;
// A type where an expression must stand: container_of(p, struct foo, member), min_t(unsigned int, a, b).
const TYPE_ARGUMENT = /([(,]\s*)((?:struct|union|enum)\s+)(\w+)(?=\s*\**\s*[,)])/g;
const TYPED_MACROS =
  /\b(min_t|max_t|clamp_t|va_arg|check_add_overflow_t|ALIGN_t|roundup_t|array_size_t|kmalloc_obj|kzalloc_obj|kmalloc_objs|kzalloc_objs)\s*\(\s*((?:unsigned|signed|long|int|short|char)(?:\s+(?:unsigned|signed|long|int|short|char))*)\b/g;
const TYPE_POINTER_ARGUMENT =
  /(\b(?:list_entry|container_of|va_arg|cast|rcu_dereference_protected|kzalloc_obj)\s*\([^;{}]{0,200}?,\s*\w+\s*)(\*+)(?=\s*[,)])/g;
// Declarations in the clothes of calls (linux/types.h, hashtable.h, kfifo.h, stddef.h), which no struct may hold.
const DECLARING_CALL = /\bDECLARE_(?:BITMAP|HASHTABLE|KFIFO|KFIFO_PTR|EWMA)\s*\([^;{}]*\)\s*(?=;)/g;
const FLEXIBLE_ARRAY = /\b(DECLARE_FLEX_ARRAY\s*\()([^;{}(),]+)(,)([^;{}(),]+)(\))/g;
const STRUCT_GROUP = /\b(?:__)?struct_group(?:_attr|_tagged)?\s*\(/g;
// Blanks, not white space: most of a large file is blank lines, and each would be the start of a search through all.
const BLOCK_MACRO = /([;{}:)][ \t]*|\belse\s+|^[ \t]*)\b([A-Za-z_]\w{1,})(\s*)\(/gm;
const KEYWORDS = new Set([
  "if",
  "while",
  "for",
  "switch",
  "return",
  "do",
  "else",
  "sizeof",
  "typeof",
  "case",
]);
// list_for_each_entry(), for_each_sg(), sg_for_each..., xa_for_each(), foreach_buf()
/** Macros of linux/cleanup.h that hold a lock for a block, which runs. */
export const GUARD = /^scoped_guard$/;
const LOOP_NAME = /for_?each|^(?:do_for|loop_over|list_walk)/i;

function closingParen(text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x28) depth++;
    else if (c === 0x29 && --depth === 0) return i;
    else if (c === 0x22 || c === 0x27) i = endOfLiteral(text, i);
    else if (c === 0x3b && depth <= 0) return -1;
  }
  return -1;
}

const put = (text: string[], at: number, length: number, word: string) => {
  for (let i = 0; i < length; i++) text[at + i] = i < word.length ? word[i]! : " ";
};

/** `struct_group(name, fields…);` is its fields, for whoever looks for a field. */
function withoutGroups(text: string): string {
  const chars = text.split("");
  for (const { 0: head, index } of text.matchAll(STRUCT_GROUP)) {
    const close = closingParen(text, index + head.length - 1);
    // What stands in front of the first field: a tag, a name, attributes.
    const names = head.includes("__") ? 3 : head.includes("_attr") || head.includes("_tagged") ? 2 : 1;
    let from = index + head.length;
    for (let i = 0; i < names && from > 0; i++) from = text.indexOf(",", from) + 1;
    if (close === -1 || from === 0 || from > close) continue;
    put(chars, index, from - index, "");
    put(chars, close, 1, "");
  }
  return chars.join("");
}

/** Softens comment-free C. */
export function soften(source: string): Softened {
  let text = source
    .replace(ATTRIBUTES, blank)
    .replace(ATTRIBUTE_CALLS, blank)
    .replace(TYPE_POINTER_ARGUMENT, (_, head: string, stars: string) => head + " ".repeat(stars.length))
    .replace(
      TYPE_ARGUMENT,
      (_, head: string, keyword: string, name: string) => head + " ".repeat(keyword.length) + name,
    )
    .replace(
      TYPED_MACROS,
      (whole: string, macro: string, type: string) =>
        macro + whole.slice(macro.length, -type.length) + type.replace(/\s/g, "_"),
    );
  if (text.includes("DECLARE_")) {
    text = text
      .replace(DECLARING_CALL, blank)
      .replace(
        FLEXIBLE_ARRAY,
        (_, head: string, type: string, comma: string, name: string, tail: string) =>
          blank(head) + type + blank(comma) + name + blank(tail),
      );
  }
  if (text.includes("struct_group")) text = withoutGroups(text);
  const loops = new Set<number>();
  let chars: string[] | null = null;
  BLOCK_MACRO.lastIndex = 0;
  for (let m = BLOCK_MACRO.exec(text); m !== null; m = BLOCK_MACRO.exec(text)) {
    const name = m[2]!;
    const at = m.index + m[1]!.length;
    BLOCK_MACRO.lastIndex = at + name.length; // what follows the `(` may itself be a match
    if (KEYWORDS.has(name)) continue;
    // At column 0 it is a function's header, or a macro at file level.
    if (at === 0 || text[at - 1] === "\n") continue;
    const close = closingParen(text, at + name.length + m[3]!.length);
    if (close === -1) continue;
    let next = close + 1;
    while (/\s/.test(text[next] ?? "")) next++;
    const isLoop = (LOOP_NAME.test(name) && name.length >= 5) || GUARD.test(name);
    const follows = text[next] ?? "";
    const opensBlock = follows === "{";
    if (isLoop ? !(opensBlock || /[A-Za-z_*(]/.test(follows)) : !opensBlock) continue;
    chars ??= text.split("");
    if (isLoop) loops.add(at);
    put(chars, at, name.length, isLoop ? "while" : "if");
  }
  if (chars !== null) text = chars.join("");
  return { text, loops };
}
