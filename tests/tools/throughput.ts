/**
 * `deno task throughput [COUNT]`: works off a Dovecot mailbox of so many waiting mails in a dry run, and prints mails
 * a second, peak memory, and the ratio to fetching alone. Runs with all permissions: peak memory stands in /proc.
 *
 * @module
 */

import { join } from "@std/path";
import { startDovecot } from "../bot/dovecot.ts";
import { readStream, type Recorded } from "./stream.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const POLL_MS = 20;

interface Cost {
  readonly seconds: number;
  readonly peakMiB: number;
  readonly out: string;
}

const count = Number(Deno.args[0] ?? 10_000);
const { mails, lists } = await readStream();
const folder = await Deno.makeTempDir({ prefix: "p2plint-throughput-" });
await Deno.chmod(folder, 0o755);
const dovecot = await startDovecot({ folder: join(folder, "dovecot") });
try {
  for (let at = 0; at < count; at++) {
    dovecot.deliver(again(mails[at % mails.length]!, Math.floor(at / mails.length)));
  }
  await Deno.writeTextFile(join(folder, "password"), dovecot.password);
  await Deno.writeTextFile(
    join(folder, "p2plint.json"),
    JSON.stringify({
      bot: { address: "p2plint@bots.example.net" },
      state: "state.sqlite",
      outbox: "outbox",
      accounts: [{
        name: "local",
        host: "127.0.0.1",
        port: dovecot.port,
        tls: "none",
        user: dovecot.user,
        password: { file: "password" },
      }],
      lists,
      intake: { maxAgeDays: 36_500 },
    }),
  );
  const alone = [
    "run",
    "--allow-all",
    join(ROOT, "tests/tools/fetch_alone.ts"),
    String(dovecot.port),
    dovecot.user,
    dovecot.password,
  ];
  const watch = [
    "run",
    "--no-prompt",
    "--v8-flags=--max-semi-space-size=4,--max-old-space-size=256",
    "--allow-all",
    join(ROOT, "mod.ts"),
    "watch",
    "--once",
    "--config",
    join(folder, "p2plint.json"),
  ];
  // The first look at a maildir makes Dovecot's index: neither pays for it.
  await measure(alone);
  const fetched = await measure(alone);
  const watched = await measure(watch);
  console.log(
    `imapflow alone: ${rate(fetched)}, peak ${fetched.peakMiB.toFixed(0)} MiB (${fetched.out.trim()})`,
  );
  console.log(`watch --once:   ${rate(watched)}, peak ${watched.peakMiB.toFixed(0)} MiB`);
  console.log(`ratio to fetching alone: ${(watched.seconds / fetched.seconds).toFixed(1)}`);
  console.log(watched.out.trim().split("\n").at(-1));
} finally {
  await dovecot.stop();
  await Deno.remove(folder, { recursive: true });
}

function rate({ seconds }: Cost): string {
  return `${seconds.toFixed(1)} s, ${(count / seconds).toFixed(0)} mails/s`;
}

async function measure(args: readonly string[]): Promise<Cost> {
  const start = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let peak = 0;
  const timer = setInterval(() => {
    try {
      const status = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0));
    } catch {
      // It has just ended.
    }
  }, POLL_MS);
  const { code, stdout, stderr } = await child.output();
  clearInterval(timer);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (code !== 0) throw new Error(`${args.join(" ")}: ${text(stderr)}`);
  return {
    seconds: (performance.now() - start) / 1000,
    peakMiB: peak / 1024,
    out: text(stdout) + text(stderr),
  };
}

/** The mail once more, as another one: its ids and its title are new. */
function again({ bytes }: Recorded, round: number): Uint8Array {
  if (round === 0) return bytes;
  const text = new TextDecoder("latin1").decode(bytes);
  const end = text.search(/\r?\n\r?\n/);
  const head = text.slice(0, end)
    .replace(
      /^(?:message-id|in-reply-to|references):.*(?:\r?\n[ \t].*)*/gim,
      (field) => field.replaceAll(">", `.${round}>`),
    )
    .replace(/^(subject:.*)/im, `$1 no ${round}`);
  return Uint8Array.from(head + text.slice(end), (sign) => sign.charCodeAt(0));
}
