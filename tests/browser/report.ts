/// <reference lib="dom" />
/**
 * The HTML report in a browser: opened, filtered, clicked, printed, read by axe, and with hostile text in every field.
 * Not named *_test.ts: a browser needs every permission, and the other tests must not have them.
 * SHOTS=FOLDER keeps screenshots to look at.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { Page } from "playwright-core";
import { main } from "../../bot/main.ts";
import { renderer } from "../../bot/render/mod.ts";
import { fileFromSource } from "../../rules/engine/diff.ts";
import { standFor } from "../../rules/model/stand.ts";
import { finding, keep, mail, report, span } from "../bot/reports.ts";
import { INSTALL, launch } from "./chromium.ts";

const PATCHES = ["p2p-export.patch", "html/ring.patch"].map((name) =>
  new URL(`../../fixtures/${name}`, import.meta.url).pathname
);
// These only: a new rule must not change what the tests are about, the page.
const RULES = "p2p-dma-map-resource-on-bar,phys-used-as-dma-addr,dma-mapping-unchecked";
const AXE = await Deno.readTextFile(new URL(import.meta.resolve("axe-core/axe.min.js")));
const SHOTS = Deno.env.get("SHOTS");

const browser = await launch();
if (browser === null) console.error(`The browser tests need Chromium and are ignored: ${INSTALL}`);
const options = { ignore: browser === null, sanitizeOps: false, sanitizeResources: false };

/** Opens a page, and fails when it complains or asks for anything. */
async function opened(html: string, run: (page: Page) => Promise<void>, size = { width: 1280, height: 900 }) {
  const path = await Deno.makeTempFile({ suffix: ".html" });
  const page = await browser!.newPage({ viewport: size });
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`page error: ${error.message}`));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith("file:")) complaints.push(`request: ${request.url()}`);
  });
  try {
    await Deno.writeTextFile(path, html);
    await page.goto(`file://${path}`);
    await run(page);
    deepEqual(complaints, []);
  } finally {
    await page.close();
    await Deno.remove(path);
  }
}

async function checked(): Promise<string> {
  const terminal = keep();
  const code = await main(
    ["check", "--no-config", "--format", "html", "--rules", RULES, ...PATCHES],
    terminal,
  );
  equal(code, 1);
  return terminal.printed.out;
}

async function shot(page: Page, name: string, fullPage = true): Promise<void> {
  if (SHOTS !== undefined) await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage });
}

const visible = (page: Page) => page.locator("article.finding:visible").count();

/** The part of axe-core's result that is asked for. */
interface Found {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

/** What axe-core holds against the page. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => {
    const { axe } = globalThis as unknown as { axe: { run(root: Document): Promise<Found> } };
    return axe.run(document);
  });
  return found.violations.flatMap(
    ({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 120)}`),
  );
}

Deno.test({
  ...options,
  name: "the report opens, filters by severity, rule and words, and shows all again",
  async fn() {
    await opened(await checked(), async (page) => {
      match(await page.title(), /^p2plint: 2 errors, 1 warning/);
      const all = await page.locator("article.finding").count();
      equal(await visible(page), all);
      await shot(page, "report-light");
      await page.getByLabel("error", { exact: true }).uncheck();
      equal(await page.locator("article.finding.error:visible").count(), 0);
      equal(await page.locator("#shown").textContent(), `${await visible(page)} of ${all} shown`);
      await page.getByRole("button", { name: "Show all" }).click();
      equal(await visible(page), all);
      await page.getByLabel("Rule").selectOption("p2p-dma-map-resource-on-bar");
      equal(await visible(page), 1);
      equal(await page.locator("section.patch:visible").count(), 1);
      equal(await page.locator("nav.side li:visible").count(), 1);
      await page.getByRole("button", { name: "Show all" }).click();
      await page.getByLabel("Words").fill("VIRT_TO_PHYS");
      equal(await visible(page), 1);
      await page.getByLabel("Words").fill("no such words");
      equal(await visible(page), 0);
      equal(await page.locator("#shown").textContent(), `0 of ${all} shown`);
    });
  },
});

Deno.test({
  ...options,
  name: "evidence jumps to its line, and opens what hides it",
  async fn() {
    await opened(await checked(), async (page) => {
      const step = page.locator("article.finding .steps a").first();
      const row = (await step.getAttribute("href"))!;
      await page.evaluate(() => {
        for (const each of document.querySelectorAll("details.file")) each.removeAttribute("open");
      });
      await step.click();
      const target = page.locator(row);
      await target.waitFor({ state: "visible" });
      await page.waitForFunction((id) => {
        const { top, bottom } = document.querySelector(id)!.getBoundingClientRect();
        return top >= 0 && bottom <= innerHeight;
      }, row);
      match((await target.textContent())!, /pci_resource_start/);
      equal(await page.locator("tr:target").count(), 1);
      await shot(page, "report-jumped", false);
      await page.locator("tr.remark:visible a").first().click();
      equal(await page.locator("article.finding:target").count(), 1);
    });
  },
});

Deno.test({
  ...options,
  name: "the report is used by keyboard alone",
  async fn() {
    await opened(await checked(), async (page) => {
      await page.keyboard.press("Tab");
      equal(await page.evaluate(() => document.activeElement?.textContent), "Skip to the findings");
      await page.keyboard.press("Enter");
      equal(await page.evaluate(() => document.activeElement?.id), "findings");
      const summary = page.locator("details.machine summary").first();
      await summary.focus();
      await page.keyboard.press("Enter");
      equal(await summary.evaluate((each) => (each.parentElement as HTMLDetailsElement).open), true);
      await page.getByLabel("warning", { exact: true }).focus();
      await page.keyboard.press("Space");
      equal(await page.locator("article.finding.warning:visible").count(), 0);
    });
  },
});

Deno.test({
  ...options,
  name: "the report is dark and light, by the system and by hand, and prints light and whole",
  async fn() {
    await opened(await checked(), async (page) => {
      const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const light = await ground();
      await page.emulateMedia({ colorScheme: "dark" });
      const dark = await ground();
      ok(dark !== light);
      await page.getByLabel("Theme").selectOption("light");
      equal(await ground(), light);
      await page.getByLabel("Theme").selectOption("dark");
      await page.emulateMedia({ colorScheme: "light" });
      equal(await ground(), dark);
      await shot(page, "report-dark");
      await page.emulateMedia({ media: "print" });
      await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
      equal(await ground(), light);
      equal(await page.locator("nav.side").isVisible(), false);
      equal(await page.locator("details:not([open])").count(), 0);
      await shot(page, "report-print");
    });
  },
});

Deno.test({
  ...options,
  name: "the report fits a narrow screen",
  async fn() {
    await opened(await checked(), async (page) => {
      equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
      await shot(page, "report-narrow");
    }, { width: 390, height: 844 });
  },
});

for (const colorScheme of ["light", "dark"] as const) {
  Deno.test({
    ...options,
    name: `axe-core finds nothing, ${colorScheme}`,
    async fn() {
      await opened(await checked(), async (page) => {
        await page.emulateMedia({ colorScheme });
        await page.evaluate(() => {
          for (const each of document.querySelectorAll("details")) each.open = true;
        });
        deepEqual(await violations(page), []);
      });
    },
  });
}

Deno.test({
  ...options,
  name: "hostile text in every field stays text",
  async fn() {
    await opened(hostileReport(), async (page) => {
      equal(await page.evaluate(() => (globalThis as { owned?: boolean }).owned), undefined);
      equal(await page.locator("img, iframe, object, b[onclick]").count(), 0);
      ok(await page.locator("main").evaluate((main, text) => main.textContent!.includes(text), MARKUP));
      await page.getByLabel("Words").fill("owned");
      equal(await visible(page), 2);
      deepEqual(await violations(page), []);
      await shot(page, "report-hostile");
    });
  },
});

Deno.test({
  ...options,
  name: "the picture stands on its own, and a hostile machine is inert in it",
  async fn() {
    const json = JSON.parse(
      await Deno.readTextFile(new URL("../../rules/model/topologies/switch-iommu.json", import.meta.url)),
    );
    json.title = MARKUP;
    json.hostBridges[0].below[0].below[0].below[0].below[0].title = HOSTILE;
    const path = await Deno.makeTempFile({ suffix: ".json" });
    try {
      await Deno.writeTextFile(path, JSON.stringify(json));
      const terminal = keep();
      equal(await main(["model", "--topology", path, "--format", "svg"], terminal), 0);
      await opened(
        `<!DOCTYPE html><html lang="en"><title>x</title><main>${
          terminal.printed.out.replace(/^<\?.*\n/, "")
        }</main>`,
        async (page) => {
          equal(await page.evaluate(() => (globalThis as { owned?: boolean }).owned), undefined);
          equal(
            await page.locator("svg.pic title").first().textContent(),
            `The way of the request on ${MARKUP}`,
          );
          await shot(page, "picture");
        },
      );
      // As a document of its own it has to be XML.
      const page = await browser!.newPage();
      equal(
        await page.evaluate(
          (svg) =>
            new DOMParser().parseFromString(svg, "image/svg+xml").querySelector("parsererror")?.textContent ??
              null,
          terminal.printed.out,
        ),
        null,
      );
      await page.close();
    } finally {
      await Deno.remove(path);
    }
  },
});

const MARKUP =
  `</script></title><script>owned=true</script><img src=x onerror=owned=true>" onclick="owned=true" '\`&amp;`;
const HOSTILE = `${MARKUP}\x1b]0;owned\x07\x9b31m\u202e\u2066\0\ud800`;

/** A report with hostile text wherever a mail, a path or a rule could have put it. */
function hostileReport(): string {
  const file = fileFromSource(
    `drivers/${HOSTILE}.c`,
    `${HOSTILE}\n/* ${HOSTILE}\n${HOSTILE} */\n"${HOSTILE}"\n`,
  );
  const at = span(1, 4, HOSTILE, { path: file.newPath!, bodyNo: 1 });
  const one = finding({
    rule: HOSTILE,
    at,
    message: HOSTILE,
    unless: HOSTILE,
    wanted: `${HOSTILE}\n${HOSTILE}`,
    function: HOSTILE,
    because: [{ at: { ...at, line: 2, bodyNo: 2 }, note: HOSTILE }, {
      at: { ...at, path: HOSTILE, bodyNo: null },
      note: HOSTILE,
    }],
    operation: standFor("p2p-dma-map-resource-on-bar", "bar", "dma_map_resource")!,
  });
  const from = mail({
    input: HOSTILE,
    messageId: HOSTILE,
    author: { name: HOSTILE, address: HOSTILE },
    subject: { ...mail().subject, text: HOSTILE },
  });
  const made = report([one, { ...one, severity: "note", at: { ...at, line: 4, bodyNo: 4 } }], {
    unseen: [{ what: HOSTILE, reason: HOSTILE }],
    suppressed: [{ finding: one, reason: HOSTILE, at, byPatch: true }],
    disregarded: [{ at, problem: HOSTILE }],
    fixed: [{ finding: one, version: 1 }],
    mended: [{ finding: one, by: mail({ subject: { ...mail().subject, text: HOSTILE } }) }],
    faults: [{ rule: HOSTILE, where: HOSTILE, error: new Error(HOSTILE) }],
  }, from);
  const defects = [{ damage: "charset", bodyNo: 1, reason: HOSTILE }] as const;
  const html = renderer("html");
  return html.begin({
    tool: { name: HOSTILE, version: HOSTILE },
    color: true,
    quiet: false,
    rules: () => [],
  }) +
    html.report({
      input: HOSTILE,
      kind: "mail",
      report: { ...made, patch: { ...made.patch, files: [file], defects } },
    }) +
    html.refuse({ input: HOSTILE, what: HOSTILE, reason: HOSTILE }) +
    html.end({
      inputs: 1,
      patches: 1,
      files: 0,
      judged: 1,
      findings: { error: 0, warning: 1, note: 1 },
      unseen: 1,
      defects: 1,
      faults: 1,
      passedOver: 1,
      passedOverReason: HOSTILE,
      config: HOSTILE,
      suppressed: 1,
      suppressedByPatch: 1,
      disregarded: 1,
      baseline: null,
    });
}

Deno.test({
  ...options,
  name: "Chromium ends",
  async fn() {
    await browser!.close();
    equal(browser!.isConnected(), false);
  },
});
