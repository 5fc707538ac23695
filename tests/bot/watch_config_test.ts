import { deepEqual, equal, match, throws } from "node:assert/strict";
import { ConfigError } from "../../bot/ports.ts";
import { readConfig, readSecret } from "../../bot/watch_config.ts";
import { inFolder } from "./lab.ts";

const MINIMAL = {
  bot: { address: "bot@example.org" },
  state: "state.sqlite",
  outbox: "outbox",
  accounts: [{ name: "local", host: "localhost", user: "bot", password: { env: "SECRET" } }],
  lists: [{ id: "linux-foo.example.org", address: "linux-foo@example.org" }],
};

const MIRROR = { name: "foo", repository: "kernel-patches/foo", token: { env: "TOKEN" } };

const problemsIn = (value: unknown): string => {
  try {
    readConfig(typeof value === "string" ? value : JSON.stringify(value), "/etc/p2plint.json");
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "none";
};

Deno.test("readConfig() fills in the safe defaults: TLS, dry-run, warnings of high confidence", () => {
  const { accounts, lists, reply, smtp, metrics, state } = readConfig(
    JSON.stringify(MINIMAL),
    "/etc/p2plint.json",
  );
  deepEqual([accounts[0]!.port, accounts[0]!.tls, accounts[0]!.mailboxes], [993, "implicit", [{
    name: "INBOX",
    slices: false,
  }]]);
  deepEqual([lists[0]!.mode, reply.minSeverity, reply.minConfidence], ["dry-run", "warning", "high"]);
  deepEqual([smtp, metrics, state], [null, null, "/etc/state.sqlite"]);
});

for (
  const [what, over, problem] of [
    ["an unknown key", { lisst: [] }, '"lisst" is unknown, did you mean lists?'],
    [
      "an unknown key deep inside",
      { lists: [{ ...MINIMAL.lists[0], mod: "send" }] },
      '"lists"[0].mod is unknown, did you mean mode?',
    ],
    ["a missing key", { bot: {} }, '"bot".address is missing'],
    [
      "a wrong word",
      { lists: [{ ...MINIMAL.lists[0], mode: "on" }] },
      'mode is "on", not one of off, dry-run, moderated, send',
    ],
    ["a wrong number", { reply: { maxPerSeries: 0 } }, "maxPerSeries is 0, not a whole number from 1 to 100"],
    [
      "a secret in clear",
      { accounts: [{ ...MINIMAL.accounts[0], password: "hunter2" }] },
      "password is a literal",
    ],
    [
      "a list twice",
      { lists: [MINIMAL.lists[0], MINIMAL.lists[0]] },
      'list "linux-foo.example.org" is there twice',
    ],
    [
      "sending without a server",
      { lists: [{ ...MINIMAL.lists[0], mode: "send" }] },
      "has mode send, and there is no smtp",
    ],
    [
      "a mirror that is not there",
      { lists: [{ ...MINIMAL.lists[0], mirror: { name: "bar", report: "status" } }], mirrors: [MIRROR] },
      'list "linux-foo.example.org" names the mirror "bar", and there is none',
    ],
    [
      "a mirror without a way in",
      { mirrors: [{ ...MIRROR, token: null }] },
      'mirror "foo" needs either token or app',
    ],
    [
      "a mirror with two ways in",
      { mirrors: [{ ...MIRROR, app: { id: "1", installation: 2, key: { file: "key" } } }] },
      'mirror "foo" needs either token or app',
    ],
    ["a mirror twice", { mirrors: [MIRROR, MIRROR] }, 'mirror "foo" is there twice'],
    [
      "a token in clear",
      { mirrors: [{ ...MIRROR, token: "ghp_hunter2" }] },
      '"mirrors"[0].token is a literal',
    ],
    [
      "a token that would cross the network in clear",
      { mirrors: [{ ...MIRROR, api: "http://git.example.org/api/v3" }] },
      'api is "http://git.example.org/api/v3", not an https address',
    ],
    [
      "a repository that is none",
      { mirrors: [{ ...MIRROR, repository: "../linux/x" }] },
      'repository is "../linux/x", not OWNER/NAME',
    ],
    [
      "waiting for longer than anything is tried",
      { mirrors: [{ ...MIRROR, waitHours: 49 }] },
      "waitHours is 49, not a whole number from 1 to 48",
    ],
    [
      "a kind of report that is none",
      { lists: [{ ...MINIMAL.lists[0], mirror: { name: "foo", report: "mail" } }], mirrors: [MIRROR] },
      'report is "mail", not one of comments, status',
    ],
    ["nobody to listen to", { lists: [] }, "lists and senders are empty"],
  ] as const
) {
  Deno.test(`readConfig() refuses ${what}`, () => {
    const said = problemsIn({ ...MINIMAL, ...over });
    equal(said.includes(problem), true, said);
  });
}

Deno.test("readConfig() gives a mirror a mode of its own, dry-run unless told, and no server for mail", () => {
  const { lists, mirrors } = readConfig(
    JSON.stringify({
      ...MINIMAL,
      lists: [
        { ...MINIMAL.lists[0], mode: "off", mirror: { name: "foo", report: "status" } },
        {
          id: "bar.example.org",
          address: "bar@example.org",
          mirror: { name: "ghe", report: "comments", mode: "send" },
        },
      ],
      mirrors: [MIRROR, {
        name: "ghe",
        repository: "k/l",
        api: "https://git.example.org:8443/api/v3",
        app: { id: "12", installation: 34, key: { file: "app.pem" } },
        waitHours: 48,
      }],
    }),
    "/etc/p2plint.json",
  );
  deepEqual(lists.map(({ mode, mirror }) => [mode, mirror]), [
    ["off", { name: "foo", report: "status", mode: "dry-run" }],
    ["dry-run", { name: "ghe", report: "comments", mode: "send" }],
  ]);
  deepEqual(mirrors.map(({ api, waitHours, token, app }) => [api, waitHours, token?.env, app?.key.file]), [
    ["https://api.github.com", 24, "TOKEN", undefined],
    ["https://git.example.org:8443/api/v3", 48, undefined, "/etc/app.pem"],
  ]);
});

Deno.test("readConfig() names every problem at once, and repeats no secret", () => {
  const said = problemsIn({
    ...MINIMAL,
    accounts: [{ name: "a b", host: 3, user: "u", password: "hunter2" }],
    x: 1,
  });
  equal(said.split("\n").length, 4, said);
  equal(said.includes("hunter2"), false);
});

Deno.test("readConfig() says where JSON breaks", () => match(problemsIn("{"), /is not JSON/));

Deno.test("readSecret() reads a file without its last line end, and says what is not there", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/secret`, "pa ss\n");
    equal(readSecret({ env: null, file: `${folder}/secret` }), "pa ss");
    throws(() => readSecret({ env: null, file: `${folder}/none` }), /cannot read the secret in .*none/);
    throws(() => readSecret({ env: "P2PLINT_NOT_SET", file: null }), /P2PLINT_NOT_SET is not set/);
  });
});
