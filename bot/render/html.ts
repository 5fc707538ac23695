/**
 * The report as one HTML page that needs no network: findings by patch, the diff with the findings at their lines,
 * evidence that jumps to its lines, what the finding means on real machines, and the picture of it. Every text of a mail
 * goes through escapeMarkup(); the policy in the page lets no other script and no other style in. Pure.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type OnMachines, onMachines } from "../../rules/model/on_machines.ts";
import type { Outcome } from "../../rules/model/outcome.ts";
import type { Evidence, Finding, Mail, Severity } from "../../rules/engine/types.ts";
import { highlight, prose, START } from "./highlight.ts";
import { PAGE_SCRIPT, PAGE_STYLE } from "./html_assets.ts";
import { type DiffView, diffView, type Remark } from "./html_diff.ts";
import { machinesSentence, modelCommand, naming } from "./machines.ts";
import { escapeMarkup } from "./markup.ts";
import { picture } from "./picture.ts";
import {
  inOrder,
  type Judged,
  type Refused,
  type Renderer,
  type RunStart,
  type Summary,
} from "./renderer.ts";
import { oneLine, placeOf, summaryLines } from "./text.ts";

const SEVERITIES: readonly Severity[] = ["error", "warning", "note"];

const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** What the page allows: its own style and its own script, by their hashes, and nothing from anywhere. */
const POLICY =
  `default-src 'none'; style-src ${hash(PAGE_STYLE)}; script-src ${hash(PAGE_SCRIPT)}; base-uri 'none'; ` +
  "form-action 'none'";

/** The HTML format. Only patches with something to say stay in memory, as finished HTML. */
export function htmlRenderer(): Renderer {
  const page = new Page();
  return {
    begin(run) {
      page.tool = run.tool;
      return "";
    },
    report(judged) {
      page.add(judged);
      return "";
    },
    refuse(refused) {
      page.refuse(refused);
      return "";
    },
    end: (summary) => page.html(summary),
  };
}

class Page {
  tool: RunStart["tool"] = { name: "", version: "" };
  private readonly patches: string[] = [];
  private readonly entries: string[] = [];
  private readonly allowed: string[] = [];
  private readonly settled: string[] = [];
  private readonly others: string[] = [];
  private readonly byRule = new Map<string, number>();
  private readonly machines = new Map<OnMachines, string>();
  private count = 0;

  add({ input, report }: Judged): void {
    const { patch } = report;
    const place = placeOf(patch.mail);
    for (const { damage, bodyNo, reason } of patch.defects) {
      const line = bodyNo === null ? "" : ` body line ${bodyNo}:`;
      this.others.push(`${place}: damaged:${line} ${reason} [${damage}]`);
    }
    // A mailbox is full of covers and replies: that they hold no diff goes without saying.
    if (patch.mail.position === null || patch.files.length > 0) {
      for (const { what, reason } of report.unseen) {
        this.others.push(`${place}: not judged: ${what}: ${reason}`);
      }
    }
    for (const { rule, where, error } of report.faults) {
      this.others.push(`${place}: rule ${rule} failed on ${where}: ${error.message}`);
    }
    for (const { finding, reason, byPatch } of report.suppressed) {
      // Whoever reviews the patch has to agree to its own comments; the others are counted.
      if (byPatch) this.allowed.push(`${place}: ${oneLine(finding)}, because: ${reason}`);
    }
    for (const { at, problem } of report.disregarded) {
      this.others.push(`${at.path}:${at.line}: this comment allows nothing: ${problem}`);
    }
    for (const { finding, version } of report.fixed) {
      this.settled.push(`${place}: fixed since v${version}: ${oneLine(finding)}`);
    }
    for (const { finding, by } of report.mended) {
      this.settled.push(`${place}: left out, since "${by.subject.text}" repairs it: ${oneLine(finding)}`);
    }
    if (report.findings.length === 0) return;
    const no = this.patches.length + 1;
    const findings = inOrder(report.findings).map((finding) => ({ finding, id: `f${++this.count}` }));
    const view = diffView(patch, no, findings.flatMap(remarks));
    const subject = patch.mail.subject.text === "" ? input : patch.mail.subject.text;
    for (const { finding, id } of findings) {
      this.byRule.set(finding.rule, (this.byRule.get(finding.rule) ?? 0) + 1);
      this.entries.push(entry(finding, id));
    }
    this.patches.push([
      `<section class="patch" aria-labelledby="p${no}">`,
      `<h2 id="p${no}">${escapeMarkup(subject)}</h2>`,
      `<p class="dim">${origin(patch.mail)}</p>`,
      ...findings.map(({ finding, id }) => this.article(finding, id, view)),
      view.html,
      "</section>",
    ].join("\n"));
  }

  refuse({ what, reason }: Refused): void {
    this.others.push(`${what}: not judged: ${reason}`);
  }

  private article(finding: Finding, id: string, view: DiffView): string {
    const { rule, severity, message, because, confidence, unless, wanted, operation, since } = finding;
    const out = [
      `<article class="finding ${severity}" id="${id}" data-severity="${severity}" data-rule="${
        escapeMarkup(rule)
      }" ` +
      `aria-labelledby="${id}-h">`,
      `<h3 id="${id}-h"><span class="badge">${severity}</span> ${prose(message)}</h3>`,
      `<p class="where">${jump(finding, view)} <span class="dim">in</span> ${
        finding.function === "" ? "the file" : `<code>${escapeMarkup(finding.function)}()</code>`
      } <span class="dim">· rule</span> <code>${escapeMarkup(rule)}</code></p>`,
      quote(finding),
    ];
    if (because.length > 0) {
      out.push(`<h4>Evidence</h4><ol class="steps">`);
      for (const step of because) {
        out.push(
          `<li>${jump(step, view)}: ${prose(step.note)}${isSameLine(step, finding) ? "" : quote(step)}</li>`,
        );
      }
      out.push("</ol>");
    }
    out.push(
      `<h4>Confidence</h4><p>${confidence}${unless === "" ? "" : `, unless ${prose(unless)}`}</p>`,
    );
    if (since !== null) out.push(`<p>Still there: v${since} had it, too.</p>`);
    if (wanted !== null) out.push(`<h4>Wanted</h4>${code(wanted.trimEnd(), `${id} wanted code`)}`);
    if (operation !== undefined) {
      out.push(`<h4>On real machines</h4>${this.onMachines(onMachines(operation), id)}`);
    }
    out.push("</article>");
    return out.join("\n");
  }

  /** Every machine with its picture, once per page; other findings of the same kind point there. */
  private onMachines(machines: OnMachines, id: string): string {
    const sentence = `<p>${prose(machinesSentence(machines))}.</p>`;
    const told = this.machines.get(machines);
    if (told !== undefined) {
      return `${sentence}<p><a href="#${told}">Each machine is drawn at the first such finding.</a></p>`;
    }
    const at = `${id}-m`;
    this.machines.set(machines, at);
    const open = machines.outcomes.find((outcome) => outcome.result.kind === "detour") ??
      machines.outcomes.find((outcome) => naming(outcome).mood === "bad");
    return [
      sentence,
      `<div class="machines" id="${at}">`,
      ...machines.outcomes.map((outcome, i) => machine(outcome, `${at}${i}`, outcome === open)),
      "</div>",
    ].join("\n");
  }

  html(summary: Summary): string {
    const words = summaryLines(summary);
    return [
      "<!DOCTYPE html>",
      `<html lang="en">`,
      "<head>",
      `<meta charset="utf-8">`,
      `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
      `<meta name="viewport" content="width=device-width, initial-scale=1">`,
      `<meta name="referrer" content="no-referrer">`,
      `<title>p2plint: ${escapeMarkup(words[0]!)}</title>`,
      `<style>${PAGE_STYLE}</style>`,
      "</head>",
      "<body>",
      `<a class="skip" href="#findings">Skip to the findings</a>`,
      `<header class="top"><h1>p2plint report</h1><p>${escapeMarkup(words[0]!)}</p>`,
      `<form hidden><label for="theme">Theme</label> <select id="theme"><option value="auto">as the system</option>` +
      `<option value="light">light</option><option value="dark">dark</option></select></form></header>`,
      `<div class="layout">`,
      this.side(),
      `<main id="findings" tabindex="-1">`,
      ...(this.patches.length === 0 ? ["<p>No findings.</p>"] : this.patches),
      ...this.appendix(),
      ...listed("run", "The run", words.slice(1)),
      "</main>",
      "</div>",
      `<script>${PAGE_SCRIPT}</script>`,
      "</body>",
      "</html>",
      "",
    ].join("\n");
  }

  private side(): string {
    const rules = [...this.byRule].sort(([a], [b]) => a < b ? -1 : 1);
    return [
      `<nav class="side" aria-label="Findings">`,
      `<form id="filter" hidden role="search" aria-label="Filter findings">`,
      `<div><label class="name" for="words">Words</label><input type="search" id="words" name="words" autocomplete="off"></div>`,
      `<div><label class="name" for="rule">Rule</label><select id="rule" name="rule"><option value="">all rules</option>`,
      ...rules.map(([rule, n]) =>
        `<option value="${escapeMarkup(rule)}">${escapeMarkup(rule)} (${n})</option>`
      ),
      "</select></div>",
      "<fieldset><legend>Severity</legend>",
      ...SEVERITIES.map((severity) =>
        `<label><input type="checkbox" name="severity" value="${severity}" checked> ${severity}</label>`
      ),
      "</fieldset>",
      `<div><button type="button" id="all">Show all</button> <span id="shown" role="status">${this.count} of ${this.count} shown</span></div>`,
      "</form>",
      this.entries.length === 0 ? "<p>No findings.</p>" : `<ol>${this.entries.join("\n")}</ol>`,
      "</nav>",
    ].join("\n");
  }

  private appendix(): string[] {
    return [
      ...listed("allowed", "Allowed by comments that the patch itself adds", this.allowed),
      ...listed("settled", "Fixed since an earlier version, or later in the series", this.settled),
      ...listed("others", "Damaged or not judged", this.others),
    ];
  }
}

function listed(id: string, title: string, texts: readonly string[]): string[] {
  if (texts.length === 0) return [];
  return [
    `<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2><ul class="others">`,
    ...texts.map((text) => `<li>${escapeMarkup(text)}</li>`),
    "</ul></section>",
  ];
}

/** One machine: what happens, how to see it in a terminal, the picture. */
function machine(outcome: Outcome, id: string, isOpen: boolean): string {
  const { fabric: { topology }, result, route } = outcome;
  const { word, mood } = naming(outcome);
  const title = escapeMarkup(topology.title);
  const drawn = route === null
    ? ""
    : `<div class="scroll" tabindex="0" role="group" aria-label="picture of ${title}">${
      picture(outcome, id)
    }</div>`;
  return `<details class="machine ${mood}"${
    isOpen ? " open" : ""
  }><summary><span class="mood">${word}</span> ${title}</summary>` +
    `<p>${prose(result.text)} <span class="dim">·</span> <code>${
      escapeMarkup(modelCommand(outcome))
    }</code></p>${drawn}</details>`;
}

/** The finding below its line, and a mark at each line of its evidence. */
function remarks({ finding, id }: { readonly finding: Finding; readonly id: string }): Remark[] {
  const { severity, at, message, because } = finding;
  const html = `<a class="${severity}" data-of="${id}" href="#${id}"><b>${severity}</b></a>: ${
    prose(message)
  }`;
  return [
    { at, html: `<span data-of="${id}">${html}</span>` },
    ...because.filter((step) => !isSameLine(step, finding)).map((step): Remark => ({
      at: step.at,
      html: null,
    })),
  ];
}

function isSameLine(a: Pick<Evidence, "at">, b: Pick<Evidence, "at">): boolean {
  return a.at.line === b.at.line && a.at.path === b.at.path && a.at.side === b.at.side;
}

/** An entry of the list beside. */
function entry({ severity, at, rule, function: fn }: Finding, id: string): string {
  const file = at.path.split("/").at(-1)!;
  return `<li data-of="${id}"><a class="${severity}" href="#${id}">${severity}: ${
    escapeMarkup(file)
  }:${at.line}` +
    `<span>${escapeMarkup(rule)}</span>${fn === "" ? "" : `<span>${escapeMarkup(fn)}()</span>`}</a></li>`;
}

/** The place, as a link to its row when the diff shows it. */
function jump({ at }: Pick<Evidence, "at">, view: DiffView): string {
  const text = `<span class="path">${escapeMarkup(at.path)}:${at.line}:${at.column}</span>`;
  const row = view.rowOf(at);
  const removed = at.side === "old" ? " (removed)" : "";
  return row === null ? text + removed : `<a href="#${row}">${text}</a>${removed}`;
}

function quote({ at }: Pick<Evidence, "at">): string {
  if (at.text.trim() === "") return "";
  const lead = /^\s*/.exec(at.text)![0].length;
  const { html } = highlight(at.text.slice(lead), START, [at.column - 1 - lead]);
  return `<pre tabindex="0" role="group" aria-label="line ${at.line}"><code>${html}</code></pre>`;
}

function code(text: string, label: string): string {
  let state = START;
  const lines = text.split("\n").map((line) => {
    const { html, after } = highlight(line, state);
    state = after;
    return html;
  });
  return `<pre class="wanted" tabindex="0" role="group" aria-label="${escapeMarkup(label)}"><code>${
    lines.join("\n")
  }</code></pre>`;
}

/** Where a patch came from: the input, the author, the archive. */
function origin(mail: Mail): string {
  const { messageId, author } = mail;
  const parts = [escapeMarkup(placeOf(mail))];
  if (author !== null) parts.push(escapeMarkup(author.name === "" ? author.address : author.name));
  if (messageId !== null) {
    // A message-id may hold what a path may not; lore takes it escaped.
    parts.push(
      `<a rel="noreferrer" href="https://lore.kernel.org/all/${encodeId(messageId)}/">${
        escapeMarkup(messageId)
      }</a>`,
    );
  }
  return parts.join(" · ");
}

/** encodeURIComponent() throws for half a character; such an id is nobody's. */
function encodeId(id: string): string {
  return escapeMarkup(encodeURIComponent(id.toWellFormed()));
}
