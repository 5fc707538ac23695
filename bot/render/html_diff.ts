/**
 * The diff of a patch as HTML tables: a row per line, with an id to jump to, and the findings below their lines. Pure.
 *
 * @module
 */

import type { FileDiff, Line, Patch, Span } from "../../rules/engine/types.ts";
import { highlight, START } from "./highlight.ts";
import { escapeMarkup } from "./markup.ts";

/** Something to say about a line. */
export interface Remark {
  readonly at: Span;
  /** HTML to put below the line; null only marks the line. */
  readonly html: string | null;
}

/** A patch's diff with its remarks placed. */
export interface DiffView {
  readonly html: string;
  /** The id of the row of a place; null when the diff does not show it. */
  rowOf(span: Span): string | null;
}

// Context lines that stay around what changed or is remarked upon; the rest of a long run is left out.
const CONTEXT = 12;
const MAX_ROWS = 6000;

interface Row {
  readonly id: string;
  readonly line: Line;
}

/** Lays out the diff of the `no`-th patch of a page. */
export function diffView(patch: Patch, no: number, remarks: readonly Remark[]): DiffView {
  const byBody = new Map<number, string>();
  const byNew = new Map<string, string>();
  const files = patch.files.map((file, i) => {
    const hunks = file.hunks.map((hunk) =>
      hunk.lines.map((line): Row => {
        const id = line.kind === "removed" ? `p${no}-${i}-o${line.oldNo}` : `p${no}-${i}-n${line.newNo}`;
        if (line.bodyNo !== null) byBody.set(line.bodyNo, id);
        if (line.kind !== "removed") byNew.set(`${line.newNo} ${file.newPath}`, id);
        return { id, line };
      })
    );
    return { file, hunks };
  });
  const rowOf = ({ bodyNo, side, line, path }: Span) =>
    (bodyNo === null ? undefined : byBody.get(bodyNo)) ??
      (side === "new" ? byNew.get(`${line} ${path}`) : undefined) ??
      null;
  const byRow = new Map<string, Remark[]>();
  for (const remark of remarks) {
    const row = rowOf(remark.at);
    if (row !== null) byRow.set(row, [...byRow.get(row) ?? [], remark]);
  }
  let budget = MAX_ROWS;
  const html = files.map(({ file, hunks }) => {
    const isRemarked = hunks.some((rows) => rows.some(({ id }) => byRow.has(id)));
    const table = hunks.map((rows, i) => {
      const body = hunkRows(file, i, rows, byRow, budget);
      budget -= rows.length;
      return body;
    }).join("");
    return fileSection(file, table, isRemarked);
  }).join("\n");
  return { html, rowOf };
}

function fileSection(file: FileDiff, table: string, isOpen: boolean): string {
  const path = file.newPath ?? file.oldPath ?? "(no path)";
  const name = escapeMarkup(path);
  const what = file.status === "modified" ? "" : ` <span class="dim">${file.status}</span>`;
  const body = table === ""
    ? `<p class="dim">no lines</p>`
    : `<div class="scroll" tabindex="0" role="group" aria-label="diff of ${name}"><table class="diff">` +
      `<caption class="vh">diff of ${name}: old line, new line, change, code</caption>${table}</table></div>`;
  return `<details class="file"${
    isOpen ? " open" : ""
  }><summary><span class="path">${name}</span>${what}</summary>${body}</details>`;
}

function hunkRows(
  file: FileDiff,
  index: number,
  rows: readonly Row[],
  byRow: ReadonlyMap<string, readonly Remark[]>,
  budget: number,
): string {
  const { header } = file.hunks[index]!;
  const out: string[] = [];
  if (header !== "") {
    out.push(`<tr class="hunk"><td></td><td></td><td></td><td>${escapeMarkup(header)}</td></tr>`);
  }
  const keep = near(rows, byRow);
  let state = START;
  let skipped = 0;
  const flush = () => {
    if (skipped > 0) {
      out.push(`<tr class="gap"><td></td><td></td><td></td><td>${skipped} lines left out</td></tr>`);
    }
    skipped = 0;
  };
  for (const [i, { id, line }] of rows.entries()) {
    const remarks = byRow.get(id) ?? [];
    const { html, after } = highlight(line.text, state, remarks.map(({ at }) => at.column - 1));
    // What is taken away does not change what the lines below are in.
    if (line.kind !== "removed") state = after;
    if (!keep[i] || (i >= budget && remarks.length === 0)) {
      skipped++;
      continue;
    }
    flush();
    out.push(codeRow(id, line, html, remarks.length > 0));
    for (const remark of remarks) {
      if (remark.html !== null) {
        out.push(`<tr class="remark"><td></td><td></td><td></td><td>${remark.html}</td></tr>`);
      }
    }
  }
  flush();
  return `<tbody>${out.join("\n")}</tbody>`;
}

function codeRow(id: string, line: Line, html: string, isRemarked: boolean): string {
  const oldNo = line.kind === "added" ? "" : line.oldNo;
  const newNo = line.kind === "removed" ? "" : line.newNo;
  const [css, sign, word] = {
    added: ["add", "+", "added"],
    removed: ["del", "-", "removed"],
    context: ["", "", ""],
  }[
    line.kind
  ] as [string, string, string];
  const classes = [css, isRemarked ? "hit" : ""].filter((each) => each !== "").join(" ");
  const spoken = word === "" ? "" : `<span class="vh">${word}: </span>`;
  return `<tr id="${id}"${classes === "" ? "" : ` class="${classes}"`}><td>${oldNo}</td><td>${newNo}</td>` +
    `<td>${sign}</td><td>${spoken}<code>${html}</code></td></tr>`;
}

/** Which rows are near to something: a run of plain context is cut to its ends. */
function near(rows: readonly Row[], byRow: ReadonlyMap<string, unknown>): boolean[] {
  const out = rows.map(() => rows.length <= 4 * CONTEXT);
  for (const [i, { id, line }] of rows.entries()) {
    if (line.kind === "context" && !byRow.has(id)) continue;
    for (let j = Math.max(0, i - CONTEXT); j <= Math.min(rows.length - 1, i + CONTEXT); j++) out[j] = true;
  }
  return out;
}
