import { deepEqual, equal, rejects } from "node:assert/strict";
import { readConfig } from "../../bot/config.ts";
import { ruleNamed } from "../../bot/rules_command.ts";
import { readRelease, type Settings, settingsFrom, type Wishes } from "../../bot/settings.ts";
import { rules } from "../../rules/mod.ts";
import { finding, mail, report, span } from "./reports.ts";

const [LEAK, BAR] = ["dma-mapping-leak", "p2p-dma-map-resource-on-bar"] as const;
const NOTHING: Wishes = {
  kernel: null,
  minConfidence: null,
  failOn: null,
  only: new Set(),
  without: new Set(),
};

const read = (text: string) => readConfig(text, "f.json", async (name) => (await ruleNamed(name)).id);

async function settings(config: unknown, wishes: Partial<Wishes> = {}): Promise<Settings> {
  return settingsFrom({ ...NOTHING, ...wishes }, await read(JSON.stringify(config)), rules);
}

for (
  const [text, complaint] of [
    [
      '{"kernal": "6.12"}',
      '1:2: unknown key "kernal", did you mean "kernel"? (allowed: kernel, min-confidence',
    ],
    ['{"__proto__": {}}', '1:2: unknown key "__proto__"'],
    ['{"rules": {"__proto__": "off"}}', '1:12: rules: unknown rule "__proto__"'],
    ['{"rules": {"constructor": "off"}}', '1:12: rules: unknown rule "constructor"'],
    ["[]", "1:1: the file is a list, not an object"],
    ['{"kernel": 6.12}', '1:12: kernel is a number, not a release in quotes such as "6.12"'],
    ['{"kernel": "new"}', '1:12: kernel is "new", not a release in quotes such as "6.12"'],
    ['{"kernel": null}', "1:12: kernel is null, not a release"],
    ['{"min-confidence": "hihg"}', '1:20: min-confidence is "hihg", not one of low, medium, high'],
    ['{"fail-on": true}', "1:13: fail-on is a boolean, not one of note, warning, error, never"],
    ['{"rules": []}', "1:11: rules is a list, not an object"],
    [
      '{"rules": {"dma-mapping-laek": "off"}}',
      '1:12: rules: unknown rule "dma-mapping-laek", did you mean dma-mapping-leak?',
    ],
    [
      '{"rules": {"dma-mapping-leak": "fatal"}}',
      '1:32: rules.dma-mapping-leak is "fatal", not one of off, note, warning, error, on',
    ],
    ['{"rules": {"dma-mapping-leak": false}}', "1:32: rules.dma-mapping-leak is a boolean, not one of off"],
    ['{"overrides": {}}', "1:15: overrides is an object, not a list"],
    ['{"overrides": [1]}', "1:16: overrides[0] is a number, not an object"],
    ['{"overrides": [{"paths": ["a"]}]}', '1:16: overrides[0] lacks "rules"'],
    ['{"overrides": [{"rules": {}}]}', '1:16: overrides[0] lacks "paths"'],
    [
      '{"overrides": [{"path": ["a"], "rules": {}}]}',
      '1:17: unknown key "path" in overrides[0], did you mean "paths"?',
    ],
    ['{"overrides": [{"paths": [], "rules": {}}]}', "1:26: overrides[0].paths is empty"],
    ['{"overrides": [{"paths": "a", "rules": {}}]}', "1:26: overrides[0].paths is a string, not a list"],
    [
      '{"overrides": [{"paths": ["a", 1], "rules": {}}]}',
      "1:32: overrides[0].paths[1] is a number, not a path or a glob",
    ],
    [
      '{"overrides": [{"paths": ["/etc/**"], "rules": {}}]}',
      '1:27: overrides[0].paths[0] is "/etc/**": not from the root of a kernel tree',
    ],
    [
      '{"overrides": [{"paths": ["a"], "rules": {"x": "off"}}]}',
      '1:43: overrides[0].rules: unknown rule "x"',
    ],
    [`{"${"k".repeat(10_000)}": 1}`, `1:2: unknown key "${"k".repeat(60)}…" (allowed`],
    ["{,}", '1:2: not JSON: expected a key in double quotes, found ","'],
  ] as const
) {
  Deno.test(`readConfig() refuses ${text.slice(0, 60)}`, async () => {
    await rejects(read(text), (error: Error) => {
      equal(error.name, "UsageError");
      equal(error.message.slice(0, `f.json:${complaint}`.length), `f.json:${complaint}`);
      return true;
    });
  });
}

Deno.test("readConfig() refuses two levels for one rule, by id and by code", async () => {
  const { code } = await ruleNamed(LEAK);
  await rejects(read(`{"rules": {"${LEAK}": "off", "${code}": "on"}}`), {
    message: `f.json:1:39: rules.${code}: ${LEAK} has a level here already`,
  });
});

Deno.test("settingsFrom() takes the command line, then the file, then what holds otherwise", async () => {
  const file = { kernel: "v6.6", "min-confidence": "low", "fail-on": "never" };
  const facts = ({ kernel, minConfidence, failOn }: Settings) => [kernel, minConfidence, failOn];
  deepEqual(facts(await settings({})), [null, "medium", "warning"]);
  deepEqual(facts(await settings(file)), [[6, 6], "low", "never"]);
  const wishes = { kernel: [6, 12], minConfidence: "high", failOn: "note" } as const;
  deepEqual(facts(await settings(file, wishes)), [[6, 12], "high", "note"]);
});

Deno.test("levelOf() lets a later override win, and a named rule win over *", async () => {
  const { levelOf } = await settings({
    rules: { "*": "note", [LEAK]: "warning" },
    overrides: [
      { paths: ["drivers/gpu/**"], rules: { "*": "off", [BAR]: "error" } },
      { paths: ["drivers/gpu/drm/foo/**", "sound/**"], rules: { [LEAK]: "on" } },
    ],
  });
  deepEqual(
    [
      [LEAK, "drivers/net/a.c"],
      [BAR, "drivers/net/a.c"],
      [LEAK, "drivers/gpu/a.c"],
      [BAR, "drivers/gpu/drm/foo/a.c"],
      [LEAK, "drivers/gpu/drm/foo/a.c"],
      [LEAK, "sound/a.c"],
    ].map(([rule, path]) => levelOf(rule!, path!)),
    ["warning", "note", "off", "error", "on", "on"],
  );
});

Deno.test("settingsFrom() runs a rule that is on for some path, and none that is off for all", async () => {
  const ids = ({ rules }: Settings) => rules.map(({ id }) => id);
  deepEqual(ids(await settings({ rules: { "*": "off" } })), []);
  deepEqual(ids(await settings({ rules: { "*": "off", [LEAK]: "note" } })), [LEAK]);
  const override = [{ paths: ["sound/**"], rules: { [BAR]: "on" } }];
  deepEqual(ids(await settings({ rules: { "*": "off" }, overrides: override })), [BAR]);
  const off = [{ paths: ["sound/**"], rules: { "*": "off" } }];
  equal(ids(await settings({ overrides: off })).length, rules.length);
});

Deno.test("settingsFrom() runs what --rules names whatever the file says, and not what --disable names", async () => {
  const [leak, bar] = [await ruleNamed(LEAK), await ruleNamed(BAR)];
  const named = await settings({ rules: { "*": "off" } }, { only: new Set([leak]) });
  deepEqual([named.rules, named.levelOf(LEAK, "a.c")], [[leak], "on"]);
  const without = await settings({ rules: { [BAR]: "error" } }, { without: new Set([bar]) });
  equal(without.rules.includes(bar), false);
});

Deno.test("apply() gives findings their level and drops those that are off", async () => {
  const at = (path: string) => span(1, 1, "x", { path });
  const of = [
    finding({ rule: LEAK, at: at("sound/a.c") }),
    finding({ rule: LEAK, at: at("drivers/a.c") }),
    finding({ rule: BAR, at: at("drivers/a.c"), severity: "error" }),
  ];
  const { apply } = await settings({
    rules: { [LEAK]: "note" },
    overrides: [{ paths: ["sound/**"], rules: { "*": "off" } }],
  });
  deepEqual(
    apply(report(of)).findings.map(({ rule, at, severity }) => [rule, at.path, severity]),
    [[LEAK, "drivers/a.c", "note"], [BAR, "drivers/a.c", "error"]],
  );
  const lists = apply(report([], {
    suppressed: of.map((finding) => ({ finding, reason: "x", at: finding.at, byPatch: false })),
    mended: of.map((finding) => ({ finding, by: mail() })),
    fixed: of.map((finding) => ({ finding, version: 1 })),
  }));
  for (const list of [lists.suppressed, lists.mended, lists.fixed]) {
    deepEqual(list.map(({ finding }) => finding.severity), ["note", "error"]);
  }
  // What nobody configured is passed on as it is.
  const plain = report(of);
  equal(settingsFrom(NOTHING, null, rules).apply(plain), plain);
});

Deno.test("readRelease() reads a release and nothing else", () => {
  deepEqual(["6.12", "v6.12", "6.12.3"].map(readRelease), [[6, 12], [6, 12], [6, 12]]);
  deepEqual(["6", "6.x", "6.12-rc1", "", "99999.1"].map(readRelease), [null, null, null, null, null]);
});

Deno.test("readConfig() takes the example of the README", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const example = /## Configuration[^]*?```json\n([^]*?)```/.exec(readme)![1]!;
  const { levels, ...rest } = await read(example);
  deepEqual([rest, levels.length], [
    { name: "f.json", kernel: [6, 12], minConfidence: "high", failOn: "error" },
    3,
  ]);
});
