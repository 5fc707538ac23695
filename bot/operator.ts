/**
 * What the bot's commands have in common. Light: the help of all commands loads it.
 *
 * @module
 */

import type { Option } from "./options.ts";
import { AuthenticationError, ConfigError, ConnectionError, JournalError } from "./ports.ts";
import { printableLines } from "./render/printable.ts";
import type { Terminal } from "./terminal.ts";

/** For the commands that work with the bot's configuration. */
export const CONFIG: Option = {
  name: "config",
  short: "c",
  value: "FILE",
  help: "the configuration of the bot",
  default: "p2plint.json",
};

/** What is wrong outside of the program is said in a line each, without a stack. */
export async function forOperator(terminal: Terminal, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    const isTheirs = [ConfigError, JournalError, AuthenticationError, ConnectionError].some((kind) =>
      error instanceof kind
    );
    if (!isTheirs) throw error;
    for (const line of printableLines((error as Error).message)) terminal.err(`p2plint: ${line}\n`);
    return 2;
  }
}
