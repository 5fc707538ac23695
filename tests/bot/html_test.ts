import { equal, match, ok } from "node:assert/strict";
import { createHash } from "node:crypto";
import { main } from "../../bot/main.ts";
import { highlight, prose, START } from "../../bot/render/highlight.ts";
import { escapeMarkup } from "../../bot/render/markup.ts";
import { hang } from "../../bot/render/wrap.ts";
import { keep } from "./reports.ts";

const file = (name: string) => new URL(`../../fixtures/${name}`, import.meta.url).pathname;

async function page(...paths: readonly string[]): Promise<string> {
  const terminal = keep();
  await main(["check", "--format", "html", "--fail-on", "never", ...paths], terminal);
  return terminal.printed.out;
}

Deno.test("check --format html lets only its own style and script in, by their hashes", async () => {
  const html = await page(file("p2p-export.patch"));
  const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html)![1]!;
  for (const tag of ["style", "script"]) {
    const bodies = [...html.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, "g"))].map(([, body]) => body!);
    equal(bodies.length, 1);
    const digest = createHash("sha256").update(bodies[0]!).digest("base64");
    ok(policy.includes(`${tag}-src 'sha256-${digest}'`));
  }
  match(policy, /default-src 'none'/);
  equal(/unsafe|https?:|\*/.exec(policy), null);
  equal(/<(?:script|style|link|img|iframe|object)\s|\sstyle=|\son\w+=|url\(/.exec(html), null);
});

Deno.test("every link into the page has its target, and every id is there once", async () => {
  const html = await page(file("p2p-export.patch"), file("html/ring.patch"));
  const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id!);
  equal(new Set(ids).size, ids.length);
  const targets = [...html.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id!);
  ok(targets.length > 10);
  for (const target of targets) ok(ids.includes(target), target);
});

Deno.test("what is no finding is said at the end of the page", async () => {
  const path = await Deno.makeTempFile({ suffix: ".patch" });
  try {
    await Deno.writeTextFile(path, "From: a@example.org\nSubject: [PATCH] <b>none</b>\n\nno diff\n");
    const html = await page(path);
    match(html, /<p>No findings\.<\/p>/);
    match(html, /not judged: \[PATCH\] &lt;b&gt;none&lt;\/b&gt;: no diff in it/);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("highlight() knows comments over lines, strings, calls and the marked token", () => {
  const first = highlight("go(1); /* a", START);
  equal(first.html, '<span class="f">go</span>(<span class="n">1</span>); <span class="c">/* a</span>');
  const second = highlight('b */ return "</x>";', first.after);
  equal(
    second.html,
    '<span class="c">b */</span> <span class="k">return</span> <span class="s">&quot;&lt;/x&gt;&quot;</span>;',
  );
  equal(second.after.isComment, false);
  equal(highlight("\tu64 x = dma;", START, [9]).html, '\t<span class="t">u64</span> x = <mark>dma</mark>;');
});

Deno.test("highlight() loses no sign of a line", () => {
  const text = (html: string) => html.replace(/<[^>]*>/g, "");
  for (
    const line of [
      'a "b\\" c',
      "'\\''/*/ x",
      "#define A(x) \\",
      "/**/x//y",
      "x / y /* z */ /",
      "\u{1f600}'",
      "/*/",
    ]
  ) {
    equal(text(highlight(line, START).html), escapeMarkup(line));
    equal(text(highlight(line, { isComment: true }).html), escapeMarkup(line));
  }
});

Deno.test("prose() sets code between backticks, and keeps a backtick that is alone", () => {
  equal(prose("`a->b` & `"), "<code>a-&gt;b</code> &amp; &#96;");
});

Deno.test("escapeMarkup() leaves nothing that markup means", () => {
  equal(
    escapeMarkup(`<a href="x" o='y'>&\`\x1b\u202e`),
    "&lt;a href=&quot;x&quot; o=&#39;y&#39;&gt;&amp;&#96;\\x1b\\u{202e}",
  );
});

Deno.test("hang() keeps the width, whatever the words", () => {
  for (const line of hang(`a bb ${"c".repeat(50)} d`, 20, "- ")) ok(line.length <= 20);
  equal(hang("one two three", 9, "> ").join("|"), "> one two|  three");
});
