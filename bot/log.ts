/**
 * Structured logs on standard error, as JSON lines or for human eyes. What a stranger wrote is made printable, what
 * is called a secret is left out. The only file that names pino.
 *
 * @module
 */

import { pino } from "pino";
import type { Log } from "./ports.ts";
import { printable, printableJson } from "./render/printable.ts";
import type { Terminal } from "./terminal.ts";

/** How to log. */
export interface LogOptions {
  readonly format: "human" | "json";
  readonly level: "debug" | "info" | "warn" | "error";
}

const SECRETS = ["password", "pass", "auth", "token", "secret"];
const LEVELS: Readonly<Record<number, string>> = { 20: "debug", 30: "info", 40: "warn", 50: "error" };

/** A log on the terminal's standard error. */
export function createLog({ format, level }: LogOptions, terminal: Pick<Terminal, "err">): Log {
  const logger = pino({
    base: null,
    level,
    messageKey: "event",
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), remove: true },
  }, {
    write: (line: string) =>
      terminal.err(format === "json" ? printableJson(JSON.parse(line)) + "\n" : human(line)),
  });
  return {
    debug: (event, fields = {}) => logger.debug(fields, event),
    info: (event, fields = {}) => logger.info(fields, event),
    warn: (event, fields = {}) => logger.warn(fields, event),
    error: (event, fields = {}) => logger.error(fields, event),
  };
}

/** `12:03:44 warn  connection lost source=lore/INBOX problem="refused"` */
function human(line: string): string {
  const { level, time, event, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const clock = new Date(Number(time)).toISOString().slice(11, 19);
  const rest = Object.entries(fields).map(([name, value]) => {
    const shown = String(value);
    return ` ${name}=${/^[\w.:/@<>+-]+$/.test(shown) ? shown : JSON.stringify(shown)}`;
  });
  return printable(`${clock} ${(LEVELS[Number(level)] ?? "?").padEnd(5)} ${event}${rest.join("")}`) + "\n";
}
