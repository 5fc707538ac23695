/**
 * The commands of the bot. Light, as the help of all commands loads it: what they do loads when they are called.
 *
 * @module
 */

import { CONFIG, forOperator } from "./operator.ts";
import type { CommandModule } from "./options.ts";

/** `p2plint watch` */
export const watchCommand: CommandModule = {
  command: {
    name: "watch",
    operands: "",
    summary: "follow mailboxes, review patches, reply",
    notes: [
      "Replies, and reports to mirrors on GitHub, go where the mode of their list says: dry-run files them into the",
      "outbox folder.",
      "SIGTERM and SIGINT end it after the mail at hand.",
      "exit code: 0 ended, 2 could not run",
    ].join("\n"),
    options: [CONFIG, {
      name: "once",
      value: null,
      help: "deal with what is there, complete or not, and end",
    }],
    example: "p2plint watch --once --config p2plint.json",
  },
  run: (args, terminal) =>
    forOperator(terminal, async () => await (await import("./watch_command.ts")).runWatch(args, terminal)),
};

/** `p2plint doctor` */
export const doctorCommand: CommandModule = {
  command: {
    name: "doctor",
    operands: "",
    summary: "try configuration, journal, outbox, IMAP, SMTP and mirrors, and say what to do",
    notes: "Reads mailboxes and sends nothing.\nexit code: 0 all is well, 1 something is not",
    options: [CONFIG],
    example: "p2plint doctor --config p2plint.json",
  },
  run: (args, terminal) =>
    forOperator(terminal, async () => await (await import("./doctor.ts")).examineAll(args, terminal)),
};

/** `p2plint who FILE` */
export const whoCommand: CommandModule = {
  command: {
    name: "who",
    operands: "FILE…",
    summary: "explain who would get the reply to a mail, address by address",
    notes: "FILE is a mail, an mbox or a folder of mails, or - for standard input.",
    options: [CONFIG],
    example: "p2plint who --config p2plint.json fixtures/p2p-export.patch",
  },
  run: (args, terminal) =>
    forOperator(terminal, async () => await (await import("./who_command.ts")).runWho(args, terminal)),
};

/** `p2plint queue` */
export const queueCommand: CommandModule = {
  command: {
    name: "queue",
    operands: "[ID…]",
    summary: "list the replies, reports and mails that wait, for their time or for a human",
    notes: [
      "With the ID of a reply or report, prints it.",
      "held: for approval; pending: to be sent; doubt: may have been sent, is looked for; parked: needs a human",
    ].join("\n"),
    options: [
      CONFIG,
      { name: "format", value: "FORMAT", help: "text or json", choices: ["text", "json"], default: "text" },
    ],
    example: "p2plint queue --config p2plint.json",
  },
  run: (args, terminal) =>
    forOperator(terminal, async () => await (await import("./queue_command.ts")).runQueue(args, terminal)),
};

/** `p2plint approve` */
export const approveCommand: CommandModule = {
  command: {
    name: "approve",
    operands: "ID…",
    summary: "let held or parked replies and reports go out, or parked mails be judged again",
    notes:
      "A running watch sends within seconds what is approved.\nexit code: 1 when an ID is not in the queue",
    options: [CONFIG, { name: "drop", value: null, help: "end them for good instead" }],
    example: "p2plint approve 37f87e8c415d1d7fb2f2 --config p2plint.json",
  },
  run: (args, terminal) =>
    forOperator(terminal, async () => await (await import("./queue_command.ts")).runApprove(args, terminal)),
};

/** `p2plint stats` */
export const statsCommand: CommandModule = {
  command: {
    name: "stats",
    operands: "",
    summary: "show how right each rule is, from the verdicts in replies",
    notes:
      "precision is the share of fixed and wontfix among all verdicts: both admit that the finding is right",
    options: [
      CONFIG,
      { name: "format", value: "FORMAT", help: "text or json", choices: ["text", "json"], default: "text" },
    ],
    example: "p2plint stats --config p2plint.json",
  },
  run: (args, terminal) =>
    forOperator(terminal, async () => await (await import("./stats_command.ts")).runStats(args, terminal)),
};
