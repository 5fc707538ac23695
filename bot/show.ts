/**
 * `show`: what was understood of the inputs. Judges nothing.
 *
 * @module
 */

import type { Patch } from "../rules/engine/types.ts";
import { patchFrom } from "./judge.ts";
import { COLOR, type CommandModule, isColorWanted, UsageError } from "./options.ts";
import { progressOn } from "./progress.ts";
import { paint } from "./render/color.ts";
import { printable, printableJson, printableLines } from "./render/printable.ts";
import {
  seriesRow,
  seriesText,
  SHOW_SCHEMA,
  type Shown,
  type ShownMember,
  showRow,
  showText,
} from "./render/show.ts";
import type { Terminal } from "./terminal.ts";

const FORMATS = ["text", "json", "diff"] as const;

/** `p2plint show` */
export const showCommand: CommandModule = {
  command: {
    name: "show",
    operands: "PATH…",
    summary: "print what was understood of patches: subjects, files, hunks, defects, series",
    notes: [
      "--format diff prints the diffs as they stood in the mails; on a terminal, control characters are made",
      "visible. exit code: 0 something was understood, 2 nothing was",
    ].join("\n"),
    options: [
      { name: "format", value: "FORMAT", help: FORMATS.join(", "), choices: FORMATS, default: "text" },
      COLOR,
    ],
    example: "p2plint show --format diff fixtures/p2p-export.patch",
  },
  async run(args, terminal) {
    if (args.operands.length === 0) throw new UsageError("show needs a path, or - for standard input");
    const { inputs, isProblem } = await import("./source/files.ts");
    const progress = progressOn(terminal, !terminal.isOutTerminal);
    const format = await printer(
      args.values.get("format") as typeof FORMATS[number],
      isColorWanted(args, terminal),
      terminal,
    );
    let isUnderstood = false;
    for await (const input of inputs(args.operands, Deno.stdin.readable)) {
      progress.step(input.input);
      if (isProblem(input)) {
        progress.clear();
        terminal.err(`p2plint: ${printable(input.input)}: ${printable(input.problem)}\n`);
        continue;
      }
      const patch = await patchFrom(input);
      if (patch.files.length > 0 || patch.mail.subject.isPatch) isUnderstood = true;
      format.show({ input: input.input, kind: input.kind, patch });
    }
    progress.clear();
    await format.end();
    return isUnderstood ? 0 : 2;
  },
};

interface Printer {
  show(shown: Shown): void;
  end(): Promise<void>;
}

async function printer(
  format: typeof FORMATS[number],
  isColorful: boolean,
  terminal: Terminal,
): Promise<Printer> {
  if (format === "diff") {
    const { printDiff } = await import("../rules/engine/diff.ts");
    return {
      show({ patch }) {
        const text = printDiff(patch.files);
        // Exact for a file or a pipe, harmless on a screen.
        terminal.out(terminal.isOutTerminal ? printableLines(text).join("\n") : text);
      },
      end: () => Promise.resolve(),
    };
  }
  const brush = paint(isColorful);
  const members: ShownMember[] = [];
  const rows: string[] = [];
  return {
    show(shown) {
      members.push(memberOf(shown.patch));
      if (format === "json") rows.push(printableJson(showRow(shown)));
      else terminal.out(showText(shown, brush));
    },
    async end() {
      const { assemble } = await import("../rules/engine/series.ts");
      const series = assemble(members);
      if (format === "text") terminal.out(seriesText(series, brush));
      else {
        terminal.out(
          `{"schema":${printableJson(SHOW_SCHEMA)},\n"inputs":[\n${rows.join(",\n")}\n],\n` +
            `"series":${printableJson(series.map(seriesRow))}}\n`,
        );
      }
    },
  };
}

/**
 * The head of a mail only: a mailbox streams past. By way of JSON, since a string cut out of a mail keeps all of the
 * mail in memory.
 */
function memberOf({ mail }: Patch): ShownMember {
  const { input, position, messageId, inReplyTo, references, subject, from } = mail;
  const head: ShownMember = { input, position, messageId, inReplyTo, references, subject, from };
  return JSON.parse(JSON.stringify(head));
}
