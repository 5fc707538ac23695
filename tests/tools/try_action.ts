/**
 * Runs the steps of action.yml as a runner would: in a shell, with an empty home, from a clean clone of what is
 * committed, against the tests' GitHub. Needs the npm registry, so it is a task of its own: `deno task try-action`.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { dirname, join } from "@std/path";
import { parse } from "@std/yaml";
import { GitHubServer, type PullState } from "../bot/github_server.ts";
import { git } from "../tree/made_tree.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

interface Step {
  readonly name: string;
  readonly shell: string;
  readonly run: string;
  readonly env?: Readonly<Record<string, string>>;
}

interface Action {
  readonly inputs: Readonly<Record<string, { readonly default: string }>>;
  readonly runs: { readonly steps: readonly Step[] };
}

/** What `${{ … }}` stands for. */
function filled(text: string, context: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{\{\s*([\w.]+)\s*\}\}/g, (_, name: string) => {
    const value = context[name];
    if (value === undefined) throw new Error(`Cannot fill in ${name}: not known`);
    return value;
  });
}

function copy(from: string, to: string): void {
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    if (isDirectory) copy(source, target);
    else {
      Deno.mkdirSync(dirname(target), { recursive: true });
      Deno.copyFileSync(source, target);
    }
  }
}

async function tryAction(folder: string): Promise<void> {
  const [action, workspace, home, temp] = ["action", "work", "home", "temp"].map((name) =>
    join(folder, name)
  ) as [string, string, string, string];
  for (const one of [workspace, home, temp]) Deno.mkdirSync(one);
  git(folder, "clone", "-q", ROOT, action);
  const origin = join(folder, "origin");
  copy(join(ROOT, "fixtures/tree"), origin);
  git(origin, "init", "-q");
  git(origin, "add", "-A");
  git(origin, "commit", "-qm", "start");
  const base = git(origin, "rev-parse", "HEAD");
  git(origin, "am", "-q", join(ROOT, "fixtures/field-of-another-file.patch"));
  const head = git(origin, "rev-parse", "HEAD");
  // As actions/checkout does with the base's commit: nothing of the pull request is there.
  git(workspace, "init", "-q");
  git(workspace, "fetch", "-q", "--depth=1", `file://${origin}`, base);
  git(workspace, "checkout", "-q", "FETCH_HEAD");
  const names = git(origin, "diff", "--name-only", base, head).split("\n");
  const pull: PullState = {
    number: 7,
    title: "try the action",
    state: "open",
    head,
    base,
    isFork: true,
    branch: "topic",
    files: names.map((filename) => ({
      filename,
      patch: git(origin, "diff", base, head, "--", filename).replace(/^[^]*?(?=^@@)/m, ""),
    })),
    patch: `${git(origin, "format-patch", "--stdout", `${base}..${head}`)}\n`,
  };
  const server = new GitHubServer(pull);
  const url = await server.start();
  try {
    const event = join(folder, "event.json");
    Deno.writeTextFileSync(event, JSON.stringify({ pull_request: { number: 7, head: { sha: head } } }));
    const { inputs, runs } = parse(Deno.readTextFileSync(join(action, "action.yml"))) as Action;
    // How this machine reaches the npm registry is no part of a home.
    const network = Object.entries(Deno.env.toObject()).filter(([name]) =>
      /^(?:NODE_EXTRA_CA_CERTS|SSL_CERT_(?:FILE|DIR)|(?:HTTPS?|NO)_PROXY)$/i.test(name)
    );
    const runner = {
      ...Object.fromEntries(network),
      PATH: Deno.env.get("PATH")!,
      HOME: home,
      RUNNER_TEMP: temp,
      GITHUB_ACTION_PATH: action,
      GITHUB_ACTIONS: "true",
      GITHUB_API_URL: url,
      GITHUB_REPOSITORY: "kernel/linux",
      GITHUB_EVENT_PATH: event,
      GITHUB_WORKSPACE: workspace,
    };
    const context: Record<string, string> = {
      "github.token": "token-of-the-test",
      "github.workspace": workspace,
    };
    for (const [name, input] of Object.entries(inputs)) {
      context[`inputs.${name}`] = filled(input.default, context);
    }
    const pass = async () => {
      const codes: number[] = [];
      for (const { name, run, shell, env = {} } of runs.steps) {
        equal(shell, "bash");
        const script = join(temp, "step.sh");
        Deno.writeTextFileSync(script, run);
        const started = performance.now();
        const { code, stdout, stderr } = await new Deno.Command("bash", {
          args: ["--noprofile", "--norc", "-eo", "pipefail", script],
          cwd: workspace,
          clearEnv: true,
          env: {
            ...runner,
            ...Object.fromEntries(Object.entries(env).map(([key, value]) => [key, filled(value, context)])),
          },
        }).output();
        const text = new TextDecoder();
        console.log(`${name}: exit ${code}, ${Math.round((performance.now() - started) / 1000)} s`);
        console.log(text.decode(stdout) + text.decode(stderr));
        codes.push(code);
      }
      return codes;
    };
    deepEqual(await pass(), [0, 1]);
    deepEqual(server.threads.map(({ path, line }) => `${path}:${line}`), [
      "drivers/misc/foo/foo_dmabuf.c:32",
    ]);
    equal(server.checkRuns[0]!.conclusion, "failure");
    equal(server.comments.length, 1);
    const before = server.writes.length;
    deepEqual(await pass(), [0, 1]);
    equal(server.writes.length, before, "a second run writes nothing");
    server.isReadOnly = true;
    server.threads.length =
      server.checkRuns.length =
      server.comments.length =
      server.reviews.length =
        0;
    deepEqual(await pass(), [0, 1]);
    deepEqual(server.threads, []);
    deepEqual(server.offences, []);
    ok(
      [...Deno.readDirSync(workspace)].every(({ name }) => name !== "node_modules"),
      "the checkout stays clean",
    );
  } finally {
    await server.stop();
  }
}

if (import.meta.main) {
  const folder = Deno.realPathSync(Deno.makeTempDirSync());
  try {
    await tryAction(folder);
    console.log("ok");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
