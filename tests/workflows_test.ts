/**
 * What others copy into their repositories may not let a pull request in: workflows and the action.
 */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { parse } from "@std/yaml";
import meta from "../deno.json" with { type: "json" };
import { readArguments } from "../bot/options.ts";
import { checkCommand } from "../bot/check.ts";
import { githubCommand } from "../bot/github_command.ts";

const ROOT = new URL("../", import.meta.url);
const read = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, { readonly if?: string; readonly steps: readonly Step[] }>>;
}

const WORKFLOWS = [...Deno.readDirSync(new URL(".github/workflows/", ROOT))].map(({ name }) => name).sort();
const workflow = (name: string) => parse(read(`.github/workflows/${name}`)) as Workflow;
const steps = (name: string) => Object.values(workflow(name).jobs).flatMap((job) => job.steps);

Deno.test("the workflows have the rights that they need, no others, and run on no other event", () => {
  for (const name of WORKFLOWS) {
    const { on, permissions } = workflow(name);
    deepEqual(permissions, { contents: "read", checks: "write", "pull-requests": "write" });
    deepEqual(Object.keys(on), [name === "p2plint.yml" ? "pull_request" : "workflow_run"]);
  }
  deepEqual(WORKFLOWS, ["p2plint-forks.yml", "p2plint.yml"]);
  deepEqual(workflow("p2plint-forks.yml").on.workflow_run, { workflows: ["p2plint"], types: ["completed"] });
});

Deno.test("no workflow checks out what a pull request brings, or keeps the token on the disk", () => {
  for (const name of WORKFLOWS) {
    for (const { uses = "", with: options = {} } of steps(name)) {
      if (!uses.startsWith("actions/checkout@")) continue;
      equal(options["persist-credentials"], false);
      const ref = options.ref ?? "";
      ok(["", "${{ github.event.pull_request.base.sha }}"].includes(String(ref)), String(ref));
      equal("repository" in options, false);
    }
  }
});

Deno.test("what is not ours is pinned to a commit, and nothing of an event is put into a script", () => {
  const action = parse(read("action.yml")) as { readonly runs: { readonly steps: readonly Step[] } };
  for (const { uses, run } of [...WORKFLOWS.flatMap(steps), ...action.runs.steps]) {
    if (uses !== undefined && !uses.startsWith("p2plint/p2plint@v")) {
      match(uses, /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
    }
    if (run !== undefined) equal(run.includes("${{"), false, run);
  }
});

Deno.test("the version and the Deno of the examples are those of the project", () => {
  const deno = /deno@(\d+\.\d+\.\d+)/.exec(read(".ci/run"))![1];
  for (const path of ["action.yml", "bot/deploy/gitlab-ci.yml", "README.md"]) {
    for (const [, version] of read(path).matchAll(/deno@(\d+\.\d+\.\d+)/g)) equal(version, deno, path);
  }
  const places = [
    ...WORKFLOWS.map((name) => `.github/workflows/${name}`),
    "bot/deploy/gitlab-ci.yml",
    "bot/deploy/pre-commit-config.yaml",
  ];
  for (const path of places) {
    const versions = Array.from(
      read(path).matchAll(/(?:p2plint@|--branch |rev: )v(\d+\.\d+\.\d+)/g),
      ([, version]) => version,
    );
    deepEqual(versions, [meta.version], path);
  }
});

Deno.test("the command lines of the action, the hook and the examples are understood", async () => {
  const { run } = (parse(read("action.yml")) as { runs: { steps: Step[] } }).runs.steps.at(-1)!;
  const github = /mod\.ts" github (.*) "\$\{options/.exec(run!)![1]!;
  await readArguments(githubCommand.command, github.split(" "));
  const hook = (parse(read(".pre-commit-hooks.yaml")) as { entry: string }[])[0]!.entry;
  const { flags } = await readArguments(checkCommand.command, hook.split(" ").slice(2));
  deepEqual([...flags].sort(), ["quiet", "staged"]);
  const script = (parse(read("bot/deploy/gitlab-ci.yml")) as { p2plint: { script: string[] } }).p2plint.script
    .at(-1)!;
  const { values } = await readArguments(
    checkCommand.command,
    /mod\.ts check (.*) >/.exec(script)![1]!.split(" "),
  );
  equal(values.get("format"), "junit");
  ok(values.has("git"));
});
