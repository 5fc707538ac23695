/**
 * Random damage: whatever bytes arrive, the answer is a report, in time, and nothing of the input reaches the
 * terminal as an escape. Seeded: a failure names the round that repeats it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { linterFor, patchFrom } from "../bot/judge.ts";
import { renderer } from "../bot/render/mod.ts";
import type { Input } from "../bot/source/files.ts";
import { EXAMPLE_PATH, exampleDiff } from "../rules/engine/example.ts";
import { recognise, splitMbox } from "../rules/engine/mailbox.ts";
import { INTEREST } from "../rules/kernel/mod.ts";
import { rules } from "../rules/mod.ts";
import type { Patch } from "../rules/engine/types.ts";
import { createReviewer } from "../rules/tree/review.ts";
import { repositoryOf } from "./tree/memory_tree.ts";
import { generator } from "./random.ts";

const ROUNDS = 5000;
const LIMIT_MS = 5000;
const encoder = new TextEncoder();

/** Mails and diffs made from the rules' own examples, in every encoding that lists see. */
function seeds(): Uint8Array[] {
  const diffs = rules.flatMap((rule) => [...rule.bad, ...rule.good]).map((example) =>
    exampleDiff(example).text
  );
  const head = (more: string) =>
    `From: "Doe, J. (x)" <j@example.org>\nTo: l@example.org\nMessage-ID: <1@example.org>\nSubject: =?utf-8?Q?=5BPATCH_v2?= 1/3] foo: =?utf-8?q?bar=1b[31m?=\n${more}\n`;
  const quoted = (text: string) =>
    text.replace(
      /[=\r]|[^\n -~\t]/g,
      (c) => `=${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
    );
  const texts = diffs.flatMap((diff, i) => {
    const body = `foo\n\nSigned-off-by: j\n---\n foo.c | 2 +-\n\n${diff}-- \n2.30\n`;
    switch (i % 6) {
      case 0:
        return [diff];
      case 1:
        return [head("Content-Type: text/plain; charset=y\n") + body];
      case 2:
        return [head("Content-Transfer-Encoding: quoted-printable\nMIME-Version: 1.0\n") + quoted(body)];
      case 3:
        return [
          head("Content-Transfer-Encoding: base64\nMIME-Version: 1.0\n") +
          btoa(body).replace(/.{76}/g, "$&\n"),
        ];
      case 4:
        return [
          head("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n") +
          `--b\nContent-Type: text/plain\n\nfoo\n--b\nContent-Type: text/x-patch; name="\x1b]0;x\x07.patch"\n\n${diff}\n--b--\n`,
        ];
      default:
        return [
          `From x@y Thu Jan  1 00:00:00 1970\n${head("")}${body}\nFrom x@y Thu Jan  1 00:00:00 1970\n${
            head("In-Reply-To: <1@example.org>\n")
          }${diff.replace(/^/gm, "> ")}`,
        ];
    }
  });
  return texts.map((text) => encoder.encode(text));
}

const SPICE = [
  "\x1b[2J",
  "\x1b]0;owned\x07",
  "\u202e",
  "\u009b31m",
  "\r",
  "\0",
  "@@ -1,9999999999 +1 @@",
  "\n--- a/../../etc/passwd\n+++ b/../../etc/passwd\n",
  "{".repeat(400),
  "(".repeat(400),
  "/*",
  '"',
  "#if\n",
  "\\\n",
  "\n\nFrom x@y Thu Jan  1 00:00:00 1970\n",
].map((text) => encoder.encode(text));

function join(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function mutate(bytes: Uint8Array, other: Uint8Array, random: (below: number) => number): Uint8Array {
  let out: Uint8Array = bytes.slice();
  for (let n = 1 + random(4); n > 0 && out.length > 0; n--) {
    const a = random(out.length);
    const b = Math.min(out.length, a + random(300));
    switch (random(6)) {
      case 0: // cut
        out = join(out.subarray(0, a), out.subarray(b));
        break;
      case 1: // repeat
        out = join(
          out.subarray(0, b),
          ...new Array(1 + random(20)).fill(out.subarray(a, b)),
          out.subarray(b),
        );
        break;
      case 2: // flip
        for (let i = 0; i < 8; i++) out[random(out.length)]! ^= 1 << random(8);
        break;
      case 3:
        out = join(out.subarray(0, a), SPICE[random(SPICE.length)]!, out.subarray(a));
        break;
      case 4: // splice
        out = join(out.subarray(0, a), other.subarray(random(other.length)));
        break;
      default: // end early
        out = out.slice(0, a);
    }
  }
  return out;
}

async function messages(bytes: Uint8Array): Promise<Input[]> {
  const kind = recognise(bytes);
  if (kind !== "mbox") {
    return [{ input: "fuzz", position: null, kind, bytes, size: bytes.length, masking: null }];
  }
  const out: Input[] = [];
  const chunks = async function* () {
    yield await Promise.resolve(bytes);
  };
  for await (const message of splitMbox(chunks())) {
    const { masking, size } = message;
    out.push({
      input: "fuzz",
      position: out.length + 1,
      kind: "mail",
      bytes: message.bytes.slice(),
      size,
      masking,
    });
  }
  return out;
}

/** Code that is made to be slow: what nests, repeats or jumps without end. */
function giants(): Record<string, string> {
  const times = (n: number, make: (i: number) => string) =>
    Array.from({ length: n }, (_, i) => make(i)).join("\n");
  const fn = (body: string) =>
    `static int foo(struct device *dev, struct foo *f)\n{\n\tdma_addr_t h;\n${body}\n\treturn 0;\n}`;
  const map = "h = dma_map_single(dev, f, 4, DMA_TO_DEVICE)";
  return {
    "many fields": fn(times(6000, (i) => `\tf->a${i} = dma_map_single(dev, f->b${i}, 4, DMA_TO_DEVICE);`)),
    "deep blocks": fn(`${times(1500, (i) => `\tif (f->x${i}) {`)}\n\t${map};\n${times(1500, () => "\t}")}`),
    "a long sum": fn(`\t${map}${times(6000, (i) => ` + f->a${i}`)};`),
    "parentheses": fn(
      `\th = ${"(".repeat(3000)}dma_map_single(dev, f, 4, DMA_TO_DEVICE)${")".repeat(3000)};`,
    ),
    "labels": fn(
      `${times(1500, (i) => `\tif (dma_mapping_error(dev, h))\n\t\tgoto l${i};\n\t${map};`)}\n${
        times(1500, (i) => `l${i}:\n\tdma_unmap_single(dev, f->a${i}, 4, DMA_TO_DEVICE);`)
      }`,
    ),
    "loops": fn(
      `${times(300, (i) => `\tfor (;;) {\n\t\tf->p${i} = f->p${i * 7 % 300}->n;`)}\n\t${map};\n${
        times(300, () => "\t}")
      }`,
    ),
    "#if": fn(`${times(1500, (i) => `#if A${i}\n\t${map};`)}\n${times(1500, () => "#endif")}`),
    "macros": times(3000, (i) => `#define M${i}(x) \\\n\tdma_map_single(x, x, x, x)`),
    "functions": times(4000, (i) => fn(`\t${map};`).replace("foo(", `foo${i}(`)),
  };
}

Deno.test("check comes to an end on code that is made to be slow", async () => {
  const linter = await linterFor({ rules, interest: INTEREST, kernel: null, minConfidence: "low" });
  for (const [what, code] of Object.entries(giants())) {
    const lines = code.split("\n");
    const text = `--- /dev/null\n+++ b/drivers/foo/foo.c\n@@ -0,0 +1,${lines.length} @@\n${
      lines.map((l) => `+${l}\n`).join("")
    }`;
    const started = performance.now();
    for (const input of await messages(encoder.encode(text))) {
      const report = await linter.lint(await patchFrom(input));
      assert.deepEqual(report.faults, [], what);
      assert.equal(report.judged, 1, what);
    }
    const ms = performance.now() - started;
    assert.ok(ms < LIMIT_MS, `${what}: took ${Math.round(ms)} ms`);
  }
});

// deno-lint-ignore no-control-regex
const ESCAPES = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;

Deno.test(`check survives ${ROUNDS} damaged inputs, in time and without escapes`, async () => {
  const linter = await linterFor({ rules, interest: INTEREST, kernel: null, minConfidence: "low" });
  const bases = seeds();
  let judged = 0;
  let findings = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const random = generator(round * 2654435761 + 1);
    random(2);
    const bytes = mutate(bases[random(bases.length)]!, bases[random(bases.length)]!, random);
    const started = performance.now();
    for (const input of await messages(bytes)) {
      const patch = await patchFrom(input);
      const report = await linter.lint(patch);
      assert.deepEqual(report.faults.map((f) => `${f.rule}: ${f.error.stack}`), [], `round ${round}`);
      judged += report.judged;
      findings += report.findings.length;
      for (const format of ["text", "terse", "json"] as const) {
        const out = renderer(format);
        const text = out.begin({
          tool: { name: "p2plint", version: "0" },
          color: false,
          quiet: false,
          rules: () => [],
        }) +
          out.report({ input: "fuzz", kind: input.kind, report });
        const escape = ESCAPES.exec(text);
        assert.equal(escape, null, `round ${round}: ${format} prints ${JSON.stringify(escape?.[0])}`);
      }
    }
    const ms = performance.now() - started;
    assert.ok(ms < LIMIT_MS, `round ${round}: took ${Math.round(ms)} ms`);
  }
  // The damage must leave enough for the rules to work on, or the test tests nothing.
  assert.ok(judged > ROUNDS / 4 && findings > 50, `only ${judged} hunks judged, ${findings} findings`);
});

const SERIES_ROUNDS = 400;

/** A tree in which many of the examples' patches apply: what they take from their file, one below the other. */
function madeTree() {
  const files = new Map<string, string[]>();
  for (const example of rules.flatMap((rule) => [...rule.bad, ...rule.good])) {
    const lines = files.get(example.path ?? EXAMPLE_PATH) ?? [];
    lines.push(
      ...exampleDiff(example).text.split("\n").filter((l) => /^[ -](?!-- )/.test(l)).map((l) => l.slice(1)),
    );
    files.set(example.path ?? EXAMPLE_PATH, lines);
  }
  return repositoryOf(
    Object.fromEntries(Array.from(files, ([path, lines]) => [path, `${lines.join("\n")}\n`])),
  );
}

Deno.test(`a review survives ${SERIES_ROUNDS} damaged series upon a tree`, async () => {
  const linter = await linterFor({ rules, interest: INTEREST, kernel: null, minConfidence: "low" });
  const bases = seeds();
  const repository = madeTree();
  let whole = 0;
  let findings = 0;
  for (let round = 0; round < SERIES_ROUNDS; round++) {
    const random = generator(round * 2654435761 + 7);
    random(2);
    const patches: Patch[] = [];
    for (let i = 0; i < 3; i++) {
      const seed = bases[random(bases.length)]!;
      const bytes = random(2) === 0 ? seed : mutate(seed, bases[random(bases.length)]!, random);
      for (const input of await messages(bytes)) patches.push(await patchFrom(input));
    }
    const started = performance.now();
    const reports = await createReviewer(linter, INTEREST.direct, round % 3 === 0 ? null : repository).review(
      patches,
    );
    const ms = performance.now() - started;
    assert.ok(ms < LIMIT_MS, `round ${round}: took ${Math.round(ms)} ms`);
    assert.equal(reports.length, patches.length);
    assert.deepEqual(reports.flatMap(({ faults }) => faults.map((f) => `${f.rule}: ${f.error.stack}`)), []);
    findings += reports.reduce((sum, report) => sum + report.findings.length + report.mended.length, 0);
    whole += reports.flatMap(({ patch, unseen }) => unseen.length === 0 ? patch.files : []).length;
  }
  assert.ok(whole > SERIES_ROUNDS / 4 && findings > 50, `only ${whole} files applied, ${findings} findings`);
});
