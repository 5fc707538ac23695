/**
 * argv → command. The only wiring, and the only place that ends the process. Commands load when they are called:
 * start-up time is counted.
 *
 * @module
 */

import meta from "../deno.json" with { type: "json" };
import { commandHelp, type CommandModule, nearest, readArguments, UsageError } from "./options.ts";
import { printable } from "./render/printable.ts";
import { ClosedOutput, denoTerminal, type Terminal } from "./terminal.ts";

/** Found nothing that counts. */
export const EXIT_CLEAN = 0;
/** Could not run, or nothing could be judged. */
export const EXIT_FAILED = 2;

const COMMANDS: Readonly<Record<string, () => Promise<CommandModule>>> = {
  check: async () => (await import("./check.ts")).checkCommand,
  github: async () => (await import("./github_command.ts")).githubCommand,
  patchwork: async () => (await import("./patchwork_command.ts")).patchworkCommand,
  show: async () => (await import("./show.ts")).showCommand,
  rules: async () => (await import("./rules_command.ts")).rulesCommand,
  explain: async () => (await import("./rules_command.ts")).explainCommand,
  model: async () => (await import("./model.ts")).modelCommand,
  watch: async () => (await import("./bot_commands.ts")).watchCommand,
  doctor: async () => (await import("./bot_commands.ts")).doctorCommand,
  who: async () => (await import("./bot_commands.ts")).whoCommand,
  queue: async () => (await import("./bot_commands.ts")).queueCommand,
  approve: async () => (await import("./bot_commands.ts")).approveCommand,
  stats: async () => (await import("./bot_commands.ts")).statsCommand,
};

async function help(): Promise<string> {
  const rows: string[] = [];
  for (const load of Object.values(COMMANDS)) {
    const { command } = await load();
    rows.push(`  ${command.name.padEnd(11)}${command.summary}`);
  }
  return [
    "p2plint: finds DMA and PCI peer-to-peer address-translation mistakes in Linux kernel patches",
    "",
    "usage: p2plint COMMAND [options] …",
    "",
    ...rows,
    "",
    "p2plint COMMAND --help says more; p2plint --version prints the version.",
    "exit code: 0 clean, 1 findings, 2 could not run or nothing could be judged",
    "",
  ].join("\n");
}

/** Runs one command line; gives the exit code. */
export async function main(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = argv;
  try {
    if (name === undefined) {
      terminal.err(await help());
      return EXIT_FAILED;
    }
    if (name === "--help" || name === "-h" || name === "help") {
      terminal.out(await help());
      return EXIT_CLEAN;
    }
    if (name === "--version" || name === "-V") {
      terminal.out(`p2plint ${meta.version}\n`);
      return EXIT_CLEAN;
    }
    if (!Object.hasOwn(COMMANDS, name)) {
      const near = await nearest(name, Object.keys(COMMANDS));
      throw new UsageError(`unknown command "${name}"${near === null ? "" : `, did you mean ${near}?`}`);
    }
    const module = await COMMANDS[name]!();
    const args = await readArguments(module.command, rest);
    if (args.flags.has("help")) {
      terminal.out(commandHelp(module.command));
      return EXIT_CLEAN;
    }
    return await module.run(args, terminal);
  } catch (error) {
    if (error instanceof ClosedOutput) return EXIT_CLEAN;
    if (!(error instanceof UsageError)) throw error;
    const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? ` ${name}` : "";
    terminal.err(`p2plint: ${printable(error.message)}\nTry p2plint${command} --help.\n`);
    return EXIT_FAILED;
  }
}

/** Runs the process's own command line and ends the process. */
export async function run(): Promise<never> {
  let code = EXIT_FAILED;
  try {
    code = await main(Deno.args, denoTerminal());
  } catch (error) {
    // A bug of ours or a broken installation: 1 would mean that findings were reported.
    console.error(error);
  }
  Deno.exit(code);
}
