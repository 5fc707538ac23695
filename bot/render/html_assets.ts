/**
 * The style sheet and the script of the HTML report. Both are constants: the page's Content-Security-Policy names their
 * hashes and lets nothing else run. The page is whole without the script; it filters, switches the theme and opens what
 * a link jumps into.
 *
 * @module
 */

import { PICTURE_CLASSES } from "./picture.ts";

// The names that the picture uses are among them.
const LIGHT =
  `--bg: #ffffff; --paper: #f6f7f9; --ink: #1d2733; --dim: #566271; --line: #c9d0d9; --box: #f0f2f5; --link: #0b57b0;
  --bad: #b42318; --luck: #8a5a00; --good: #12703e; --note: #0b57b0; --asks: #dbe9ff; --wanted: #fff1cc;
  --add: #e6f5ea; --del: #fdecea; --hit: #fff4d6; --here: #ffe08a; --k: #8a1f7a; --t: #0b57b0; --s: #12703e; --n: #8a5a00;
  --c: #4a5563; --p: #6b3fa0; --f: #1d2733;`;
const DARK =
  `--bg: #12171e; --paper: #171d25; --ink: #e4e9f0; --dim: #a3afbd; --line: #38424e; --box: #1f2731; --link: #8ab8ff;
  --bad: #ff8a80; --luck: #f2c14e; --good: #6fdc9b; --note: #8ab8ff; --asks: #1d3557; --wanted: #4a3b12;
  --add: #14301f; --del: #3a1a1c; --hit: #33290f; --here: #6b5310; --k: #e39ad8; --t: #8ab8ff; --s: #7fd6a1; --n: #f2c14e;
  --c: #b3bfcc; --p: #c3a3f5; --f: #e4e9f0;`;

/** The style sheet of the page. */
export const PAGE_STYLE = `
:root { color-scheme: light; ${LIGHT} }
@media (prefers-color-scheme: dark) { :root:not([data-theme="light"]) { color-scheme: dark; ${DARK} } }
:root[data-theme="dark"] { color-scheme: dark; ${DARK} }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.5 ui-sans-serif, system-ui, sans-serif; }
a { color: var(--link); }
a:hover { text-decoration-thickness: 2px; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
code, .path, .diff { font-family: ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", Menlo, monospace; }
code { font-size: 0.9em; }
h1, h2, h3, p, ol, ul, dl { margin: 0; }
.vh { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: 0.5rem; background: var(--bg); padding: 0.5rem 1rem; z-index: 2; }
.dim { color: var(--dim); }
header.top { padding: 1.1rem 1.5rem; border-bottom: 1px solid var(--line); background: var(--paper); display: flex;
  flex-wrap: wrap; gap: 0.4rem 2rem; align-items: baseline; }
header.top h1 { font-size: 1.2rem; }
header.top form { margin-left: auto; }
.layout { display: grid; grid-template-columns: minmax(15rem, 20rem) minmax(0, 1fr); }
.side { border-right: 1px solid var(--line); background: var(--paper); padding: 1.2rem; position: sticky; top: 0; height: 100vh;
  overflow: auto; }
.side form { display: grid; gap: 0.9rem; margin-bottom: 1.2rem; }
.side fieldset { border: 0; padding: 0; margin: 0; display: flex; flex-wrap: wrap; gap: 0.2rem 1rem; }
.side legend, .side label.name { font-weight: 600; font-size: 0.9rem; padding: 0; display: block; margin-bottom: 0.25rem; }
input[type="search"], select, button { font: inherit; color: inherit; background: var(--bg); border: 1px solid var(--dim);
  border-radius: 6px; padding: 0.35rem 0.5rem; }
.side input[type="search"], .side select { width: 100%; }
button { cursor: pointer; }
.side ol { list-style: none; padding: 0; display: grid; gap: 0.15rem; font-size: 0.87rem; }
.side li a { display: block; padding: 0.3rem 0.5rem; border-radius: 6px; text-decoration: none; color: var(--ink);
  overflow-wrap: anywhere; border-left: 4px solid var(--mood); }
.side li a:hover { background: var(--box); }
.side li span { display: block; color: var(--dim); }
main { padding: 1.5rem 2rem 4rem; max-width: 76rem; }
.patch { margin-bottom: 3.5rem; }
.patch > h2 { font-size: 1.25rem; overflow-wrap: anywhere; }
.patch > .dim { margin-bottom: 1rem; overflow-wrap: anywhere; }
.error { --mood: var(--bad); } .warning { --mood: var(--luck); } .note { --mood: var(--note); }
.bad { --mood: var(--bad); } .luck, .refused { --mood: var(--luck); } .good { --mood: var(--good); } .none { --mood: var(--dim); }
.finding { border: 1px solid var(--line); border-left: 5px solid var(--mood); border-radius: 8px; padding: 1rem 1.2rem;
  margin: 1.2rem 0; background: var(--paper); }
.finding:target { outline: 3px solid var(--link); }
.finding p { overflow-wrap: anywhere; }
.finding h3 { font-size: 1rem; font-weight: 500; overflow-wrap: anywhere; }
.badge { color: var(--mood); border: 1px solid var(--mood); border-radius: 99px; padding: 0 0.55rem; font-size: 0.82rem;
  font-weight: 650; margin-right: 0.3rem; white-space: nowrap; }
.finding .where { font-size: 0.9rem; margin: 0.35rem 0 0.8rem; overflow-wrap: anywhere; }
.finding h4 { font-size: 0.9rem; margin: 0.9rem 0 0.25rem; }
.steps { padding-left: 1.4rem; display: grid; grid-template-columns: minmax(0, 1fr); gap: 0.45rem; overflow-wrap: anywhere; }
.steps pre, .wanted { margin: 0.15rem 0 0; }
pre { background: var(--box); border-radius: 6px; padding: 0.4rem 0.7rem; overflow-x: auto; tab-size: 8; white-space: pre; font-size: 0.92rem; }
details > summary { cursor: pointer; }
.machines { margin-top: 0.7rem; border: 1px solid var(--line); border-radius: 8px; overflow: clip; background: var(--bg); }
.machine + .machine { border-top: 1px solid var(--line); }
.machine summary { padding: 0.35rem 0.7rem; }
.machine summary:hover { background: var(--box); }
.machine .mood { color: var(--mood); font-weight: 650; display: inline-block; min-width: 8rem; }
.machine p { padding: 0 0.7rem 0.6rem 1.7rem; overflow-wrap: anywhere; }
.machine .scroll { padding: 0 0.7rem 0.7rem 1.7rem; }
.scroll { overflow-x: auto; }
.pic { display: block; height: auto; max-width: none; font-family: inherit; border: 1px solid var(--line); border-radius: 8px; }
/* What is far off is not laid out: a mailbox makes a long page. */
.file { content-visibility: auto; contain-intrinsic-size: auto 40rem; border: 1px solid var(--line); border-radius: 8px; margin: 0.8rem 0; overflow: clip; }
.file > summary { padding: 0.45rem 0.8rem; background: var(--box); overflow-wrap: anywhere; }
.file > p { padding: 0.5rem 0.8rem; }
.diff { border-collapse: collapse; font-size: 0.84rem; line-height: 1.45; min-width: 100%; tab-size: 8; }
.diff td { padding: 0 0.5rem; vertical-align: top; white-space: pre; }
.diff td:nth-child(-n+2) { text-align: right; color: var(--dim); user-select: none; min-width: 3.2rem; }
.diff td:nth-child(3) { user-select: none; padding: 0 0.2rem; }
.diff code { font-size: inherit; }
.diff .add { background: var(--add); } .diff .del { background: var(--del); }
.diff .hit { background: var(--hit); }
.diff tr:target { outline: 2px solid var(--link); outline-offset: -2px; }
.diff .hunk td, .diff .gap td { color: var(--dim); background: var(--box); }
.diff .remark td { background: var(--paper); border-block: 1px solid var(--line); white-space: normal; padding: 0.3rem 0.6rem;
  font-family: ui-sans-serif, system-ui, sans-serif; }
.diff .remark a { color: var(--mood); }
mark { background: var(--here); color: inherit; border-radius: 2px; }
.k { color: var(--k); } .t { color: var(--t); } .s { color: var(--s); } .n { color: var(--n); } .c { color: var(--c); font-style: italic; }
.p { color: var(--p); } .f { color: var(--f); font-weight: 600; }
.others { padding-left: 1.2rem; overflow-wrap: anywhere; }
[hidden] { display: none !important; }
@media (max-width: 56rem) {
  .layout { grid-template-columns: minmax(0, 1fr); }
  .side { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); }
  main { padding: 1.2rem 1rem 3rem; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
@media print {
  :root, :root[data-theme="dark"], :root:not([data-theme="light"]) { color-scheme: light; ${LIGHT} }
  .side, header.top form, .skip { display: none; }
  .layout { display: block; }
  main { padding: 0; max-width: none; }
  .finding, .diff tr, .pic { break-inside: avoid; }
  .file { content-visibility: visible; }
  .diff td, pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  .scroll, pre { overflow: visible; }
  .pic { max-width: 100%; }
}
${PICTURE_CLASSES}`;

/** The script of the page. */
export const PAGE_SCRIPT = `
"use strict";
(() => {
  const root = document.documentElement;
  const theme = document.getElementById("theme");
  theme.addEventListener("change", () => {
    if (theme.value === "auto") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", theme.value);
  });
  const form = document.getElementById("filter");
  const status = document.getElementById("shown");
  const others = Map.groupBy(document.querySelectorAll("[data-of]"), (other) => other.dataset.of);
  const findings = [...document.querySelectorAll("article.finding")].map((article) => ({
    article,
    text: article.textContent.toLowerCase(),
    others: others.get(article.id) || [],
  }));
  const apply = () => {
    const wanted = new Set(new FormData(form).getAll("severity"));
    const rule = form.elements.rule.value;
    const words = form.elements.words.value.trim().toLowerCase();
    let shown = 0;
    for (const { article, text, others } of findings) {
      const { severity, rule: own } = article.dataset;
      const fits = wanted.has(severity) && (rule === "" || rule === own) && text.includes(words);
      article.hidden = !fits;
      for (const other of others) other.hidden = !fits;
      if (fits) shown++;
    }
    for (const patch of document.querySelectorAll("section.patch")) {
      patch.hidden = !patch.querySelector("article.finding:not([hidden])");
    }
    status.textContent = shown + " of " + findings.length + " shown";
  };
  form.addEventListener("input", apply);
  document.getElementById("all").addEventListener("click", () => {
    form.reset();
    apply();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  theme.form.hidden = false;
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let at = target.closest("details"); at; at = at.parentElement && at.parentElement.closest("details")) at.open = true;
    target.scrollIntoView({ block: "center" });
  };
  addEventListener("hashchange", reveal);
  if (location.hash) reveal();
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const each of closed) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of closed) each.open = false;
  });
})();
`;
