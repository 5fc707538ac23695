import { deepEqual, equal, match } from "node:assert/strict";
import { findConfig } from "../../bot/source/config_file.ts";
import { readTextFile } from "../../bot/source/text_file.ts";
import { main } from "../../bot/main.ts";
import { keep } from "./reports.ts";

const FIXTURE = new URL("../../fixtures/p2p-export.patch", import.meta.url).pathname;
const RULE = "p2p-dma-map-resource-on-bar";

/** A folder with files in it, by path. */
async function withFolder(files: Record<string, string>, run: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    for (const [path, text] of Object.entries(files)) {
      const file = `${folder}/${path}`;
      await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(file, text);
    }
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function check(...argv: string[]) {
  const terminal = keep();
  const code = await main(["check", ...argv, FIXTURE], terminal);
  return { code, ...terminal.printed };
}

Deno.test("findConfig() finds the nearest file upwards", async () => {
  await withFolder(
    { ".p2plint.json": "{}", "a/.p2plint.json": "{}", "a/b/x": "", "c/x": "" },
    async (folder) => {
      for (const [from, found] of [["a/b", "a/"], ["a", "a/"], ["c", ""], ["c/none/at/all", ""]]) {
        deepEqual(await findConfig(`${folder}/${from}`), {
          path: `${folder}/${found}.p2plint.json`,
          problem: "",
        });
      }
    },
  );
});

Deno.test("findConfig() follows no link and reads no folder", async () => {
  await withFolder({ "a/x": "", "b/.p2plint.json/x": "" }, async (folder) => {
    await Deno.symlink("/etc/passwd", `${folder}/a/.p2plint.json`);
    equal((await findConfig(`${folder}/a`))?.problem, "a link, not a file");
    equal((await findConfig(`${folder}/b`))?.problem, "not a file");
  });
});

Deno.test("readTextFile() reads UTF-8 up to its limit, or says why not", async () => {
  await withFolder({ a: "abc" }, async (folder) => {
    deepEqual(await readTextFile(`${folder}/a`, 3), { text: "abc" });
    deepEqual(await readTextFile(`${folder}/a`, 2), { problem: "longer than 2 bytes" });
    deepEqual(await readTextFile(`${folder}/b`, 3), { problem: "no such file" });
    await Deno.writeFile(`${folder}/c`, new Uint8Array([0x22, 0xff, 0x22]));
    deepEqual(await readTextFile(`${folder}/c`, 3), { problem: "not UTF-8" });
  });
});

Deno.test("check goes by the configuration from the working directory upwards, and names it", async () => {
  const config = JSON.stringify({ "fail-on": "error", rules: { [RULE]: "note" } });
  await withFolder({ ".p2plint.json": config, "a/x": "" }, async (folder) => {
    const before = Deno.cwd();
    Deno.chdir(`${folder}/a`);
    try {
      const { code, out, err } = await check("--rules", RULE);
      deepEqual([code, err], [0, ""]);
      match(out, new RegExp(`^drivers/misc/foo_export\\.c:34:9: note: .* \\[${RULE}\\]$`, "m"));
      match(out, /^configuration: .*\/\.p2plint\.json$/m);
      const json = JSON.parse((await check("--format", "json")).out);
      match(json.summary.config, /\.p2plint\.json$/);
      // Command line over file; and no file at all.
      equal((await check("--rules", RULE, "--fail-on", "note")).code, 1);
      const without = await check("--no-config");
      equal(without.code, 1);
      equal(/configuration/.test(without.out), false);
    } finally {
      Deno.chdir(before);
    }
  });
});

Deno.test("check --config applies overrides per path", async () => {
  const config = JSON.stringify({ overrides: [{ paths: ["drivers/misc/**"], rules: { "*": "off" } }] });
  await withFolder({ "c.json": config }, async (folder) => {
    const { code, out } = await check("--config", `${folder}/c.json`, "--format", "json");
    equal(code, 0);
    deepEqual(JSON.parse(out).findings, []);
  });
});

for (
  const [name, text, complaint] of [
    [
      "a rule that there is not",
      '{"rules": {"dma-foo": "off"}}',
      /c\.json:1:12: rules: unknown rule "dma-foo"/,
    ],
    ["an escape", '{"\x9b31m\u202e": 1}', /unknown key "\\x9b31m\\u\{202e\}"/],
    ["nesting", "[".repeat(30_000), /nested deeper than 16 levels/],
    ["too much", `{"kernel": "6.12"${" ".repeat(70_000)}}`, /c\.json: longer than 65536 bytes/],
    ["all rules off", '{"rules": {"*": "off"}}', /no rule is left/],
  ] as const
) {
  Deno.test(`check --config refuses ${name}`, async () => {
    await withFolder({ "c.json": text }, async (folder) => {
      const { code, out, err } = await check("--config", `${folder}/c.json`);
      deepEqual([code, out], [2, ""]);
      match(err, complaint);
    });
  });
}

Deno.test("check --config names a file that is not there", async () => {
  match((await check("--config", "/nonexistent.json")).err, /^p2plint: \/nonexistent\.json: no such file$/m);
});
