/**
 * `who`: explains who would get the reply to a mail, and whether it would be looked at at all.
 *
 * @module
 */

import type { Mail } from "../rules/engine/types.ts";
import type { Config } from "./watch_config.ts";
import { type Admission, admit } from "./intake.ts";
import { sameAddress } from "./mailboxes.ts";
import { journalOf, loadConfig, systemClock } from "./opening.ts";
import { type Arguments, UsageError } from "./options.ts";
import { type Place, recipientsOf } from "./recipients.ts";
import { printable } from "./render/printable.ts";
import { inputs, isProblem, mailOf } from "./source/files.ts";
import type { Terminal } from "./terminal.ts";

/** Explains each mail. */
export async function runWho(args: Arguments, terminal: Terminal): Promise<number> {
  if (args.operands.length === 0) throw new UsageError("who needs a mail, or - for standard input");
  const config = await loadConfig(args.values.get("config")!);
  let code = 0;
  for await (const input of inputs(args.operands, Deno.stdin.readable)) {
    if (isProblem(input)) {
      terminal.err(`p2plint: ${printable(input.input)}: ${printable(input.problem)}\n`);
      code = 2;
      continue;
    }
    const mail = await mailOf(input);
    const now = systemClock.now();
    const admission = admit(mail, { size: input.size, arrived: now, now }, config);
    explain(mail, admission, config, await optedOut(mail, config), terminal);
  }
  return code;
}

function explain(
  mail: Mail,
  admission: Admission,
  config: Config,
  optedOut: ReadonlySet<string>,
  terminal: Terminal,
): void {
  const { mode, list, places } = recipientsOf(mail, config, optedOut);
  const counted = list === "" ? "" : `, counted for ${list}`;
  terminal.out(`${printable(mail.subject.text)}\n`);
  terminal.out(`intake: ${admission.act === "skip" ? `skipped: ${admission.reason}` : admission.act}\n`);
  terminal.out(`mode:   ${mode}${counted}\n`);
  const shown = places.map((place) => [place, nameOf(place)] as const);
  const width = Math.max(0, ...shown.map(([, name]) => name.length));
  for (const [{ role, why }, name] of shown) terminal.out(`${role.padEnd(4)}${name.padEnd(width)}  ${why}\n`);
}

const nameOf = ({ address: { name, address } }: Place): string =>
  printable(name === "" ? address : `${name} <${address}>`);

/** Without a journal nobody can have opted out. */
async function optedOut(mail: Mail, config: Config): Promise<ReadonlySet<string>> {
  try {
    Deno.statSync(config.state);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Set();
    throw error;
  }
  const journal = journalOf(config);
  try {
    const addresses = [mail.from, mail.author, ...mail.to, ...mail.cc].flatMap((each) =>
      each === null ? [] : [sameAddress(each.address)]
    );
    return await journal.optedOut(addresses);
  } finally {
    await journal.close();
  }
}
