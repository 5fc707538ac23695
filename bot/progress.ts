/**
 * One line on standard error that says how far a long run has come; nothing where that is no terminal.
 *
 * @module
 */

import { printable } from "./render/printable.ts";
import type { Terminal } from "./terminal.ts";

// A mailbox has thousands of messages a second: the terminal must not be what costs the time.
const MESSAGES_PER_SIGN = 512;

/** Counts messages and shows the count. */
export interface Progress {
  /** One more message was seen. */
  step(input: string): void;
  /** Takes the line away, so something else can be printed. */
  clear(): void;
}

/** Progress on `terminal`, or none. */
export function progressOn(terminal: Terminal, isWanted: boolean): Progress {
  if (!isWanted || !terminal.isErrTerminal) return { step: () => {}, clear: () => {} };
  let count = 0;
  let isShown = false;
  return {
    step(input) {
      if (++count % MESSAGES_PER_SIGN !== 0) return;
      isShown = true;
      // Erase in line (ECMA-48 EL).
      terminal.err(`\r\x1b[K${printable(input)}: ${count} messages`);
    },
    clear() {
      if (isShown) terminal.err("\r\x1b[K");
      isShown = false;
    },
  };
}
