/**
 * `patchwork`: mails → findings → a check for each patch on a patchwork.
 *
 * @module
 */

import type { Report } from "../rules/engine/types.ts";
import { checkInto, JUDGING } from "./check.ts";
import { type Arguments, type CommandModule, UsageError } from "./options.ts";
import { type Check, openPatchwork, PatchworkError } from "./patchwork/client.ts";
import type { Renderer } from "./render/mod.ts";
import { printable } from "./render/printable.ts";
import { textRenderer } from "./render/text.ts";
import { PROCESS, type Surroundings } from "./surroundings.ts";
import type { Terminal } from "./terminal.ts";

/** `p2plint patchwork` */
export const patchworkCommand: CommandModule = {
  command: {
    name: "patchwork",
    operands: "PATH…",
    summary: "post a check for each patch to a patchwork",
    notes: [
      "A patch is known by its Message-ID, on every list that it went to unless --project says which. The token in",
      "PATCHWORK_TOKEN needs the right to add checks. What stands there already is not said again.",
      "exit code: 0 clean, 1 findings, 2 could not run, or patchwork did not take all of it: run it again",
    ].join("\n"),
    options: [
      { name: "url", value: "URL", help: "the patchwork: https://patchwork.kernel.org" },
      { name: "project", value: "NAME", help: "only its patches (default: all)" },
      { name: "context", value: "NAME", help: "the name of the check", default: "p2plint" },
      { name: "target-url", value: "URL", help: "what a check leads to" },
      ...JUDGING,
    ],
    example: "p2plint patchwork --url https://patchwork.kernel.org series.mbox",
  },
  run: (args, terminal) => postChecks(args, terminal, PROCESS),
};

const EXIT_FAILED = 2;

/** Runs the command. */
export async function postChecks(args: Arguments, terminal: Terminal, world: Surroundings): Promise<number> {
  const { values, operands } = args;
  if (operands.length === 0) throw new UsageError("patchwork needs a path, or - for standard input");
  const url = values.get("url");
  const token = world.env("PATCHWORK_TOKEN");
  const context = values.get("context")!;
  if (url === undefined) throw new UsageError("patchwork needs --url");
  if (token === null) throw new UsageError("patchwork needs a token in PATCHWORK_TOKEN");
  // A slug, as patchwork's model has it.
  if (!/^[\w-]{1,255}$/.test(context)) {
    throw new UsageError(`--context is "${context}", not letters, digits, - and _`);
  }
  const say = (text: string) => terminal.err(`p2plint: ${printable(text)}\n`);
  try {
    const patchwork = openPatchwork({
      url,
      token,
      context,
      project: values.get("project") ?? null,
      wait: (seconds) => new Promise((done) => setTimeout(done, seconds * world.secondMs)),
    });
    const reports: Report[] = [];
    const code = await checkInto(
      { renderer: collecting(reports), commits: null, place: (all) => all },
      args,
      terminal,
    );
    let isComplete = true;
    for (const report of reports) {
      const { mail, files } = report.patch;
      if (files.length === 0 || mail.subject.isReply || mail.messageId === null) continue;
      try {
        const { written, unchanged } = await patchwork.post(
          mail.messageId,
          checkOf(report, values.get("target-url") ?? null),
        );
        say(`<${mail.messageId}>: ${written > 0 ? "check written" : "unchanged"} (${written + unchanged})`);
      } catch (error) {
        if (!(error instanceof PatchworkError)) throw error;
        say(`<${mail.messageId}>: ${error.message}`);
        isComplete = false;
      }
    }
    return isComplete ? code : EXIT_FAILED;
  } catch (error) {
    if (error instanceof PatchworkError) throw new UsageError(error.message);
    throw error;
  }
}

/** The text format, with the reports kept. */
function collecting(reports: Report[]): Renderer {
  const text = textRenderer();
  return {
    ...text,
    report(judged) {
      reports.push(judged.report);
      return text.report(judged);
    },
  };
}

/** Longer ones are cut: patchwork shows one line. */
const MAX_DESCRIPTION = 250;

function checkOf({ findings, unseen }: Report, targetUrl: string | null): Check {
  const count = (severity: string) => findings.filter((one) => one.severity === severity).length;
  const counted = (["error", "warning", "note"] as const).filter((one) => count(one) > 0)
    .map((one) => `${count(one)} ${one}${count(one) === 1 ? "" : "s"}`);
  const [first] = findings;
  const parts = [
    counted.length === 0 ? "no findings" : counted.join(", "),
    ...(first === undefined ? [] : [`${first.at.path}:${first.at.line}: ${first.message} [${first.rule}]`]),
    ...(unseen.length === 0 ? [] : [`${unseen.length} not judged`]),
  ];
  const description = printable(parts.join("; ")).replaceAll("\t", " ");
  return {
    state: count("error") > 0 ? "fail" : count("warning") > 0 ? "warning" : "success",
    description: description.length <= MAX_DESCRIPTION
      ? description
      : `${description.slice(0, MAX_DESCRIPTION - 1)}…`,
    targetUrl,
  };
}
