/**
 * Reports made by hand, for tests of what prints them.
 *
 * @module
 */

import { mailFromText } from "../../rules/engine/mail.ts";
import { readSubject } from "../../rules/engine/subject.ts";
import type { Finding, Mail, Patch, Report, Span } from "../../rules/engine/types.ts";
import type { Terminal } from "../../bot/terminal.ts";

/** A place in `drivers/foo/foo.c`. */
export function span(line: number, column: number, text: string, more: Partial<Span> = {}): Span {
  return { path: "drivers/foo/foo.c", line, column, side: "new", text, bodyNo: line, ...more };
}

/** A finding of the made-up rule `foo-bar`. */
export function finding(more: Partial<Finding> = {}): Finding {
  return {
    rule: "foo-bar",
    key: "wrong",
    severity: "warning",
    confidence: "high",
    at: span(7, 2, "\tgo(foo);"),
    message: "`foo` went wrong",
    because: [],
    unless: "",
    wanted: null,
    function: "foo_start",
    subject: "go(foo)",
    fingerprint: "f00",
    since: null,
    ...more,
  };
}

/** A mail with a subject and nothing else. */
export function mail(more: Partial<Mail> = {}): Mail {
  const made = mailFromText("", { input: "a.patch", position: null });
  return { ...made, messageId: "1@example.org", subject: readSubject("[PATCH] foo: go"), ...more };
}

/** A report on one hunk. */
export function report(findings: readonly Finding[] = [], more: Partial<Report> = {}, of = mail()): Report {
  const patch: Patch = {
    mail: of,
    files: [{
      oldPath: "drivers/foo/foo.c",
      newPath: "drivers/foo/foo.c",
      status: "modified",
      origin: "diff",
      header: [],
      bodyNo: 1,
      oldBlob: null,
      newBlob: null,
      hunks: [],
      all: null,
      trailer: [],
    }],
    defects: [],
    baseCommit: null,
    changeId: null,
  };
  return {
    patch,
    findings,
    suppressed: [],
    disregarded: [],
    unseen: [],
    faults: [],
    repaired: [],
    mended: [],
    fixed: [],
    judged: 1,
    ...more,
  };
}

/** A terminal that keeps what is printed. */
export interface Kept extends Terminal {
  readonly printed: { out: string; err: string };
}

/** A terminal for tests; a pipe unless told. */
export function keep(more: Partial<Terminal> = {}): Kept {
  const printed = { out: "", err: "" };
  return {
    printed,
    out: (text) => void (printed.out += text),
    err: (text) => void (printed.err += text),
    isColorful: false,
    isOutTerminal: false,
    isErrTerminal: false,
    ...more,
  };
}
