/**
 * A Dovecot of our own on a loopback port, with a folder for its configuration and mails. For tests, benches and the
 * README's first steps.
 *
 * @module
 */

import { join } from "@std/path";

/** A running server. */
export interface Dovecot {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly folder: string;
  /** PEM of its certificate; null without TLS. */
  readonly certificate: string | null;
  /** Files a message as a delivery agent would; the server sees it at once. */
  deliver(message: string | Uint8Array, mailbox?: string): void;
  /** Gives a mailbox a new UIDVALIDITY, as a restored backup has it. */
  forgetUids(mailbox?: string): void;
  /** Sends a signal, as `kill` names it, to the server and its processes for single connections. */
  signal(name: "STOP" | "CONT" | "KILL"): void;
  /** Kills the server and starts it anew, on the same port and mails. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** How to start. */
export interface DovecotOptions {
  /** Made when it is not there; its mails stay when the server stops. */
  readonly folder: string;
  /** A free one is taken unless told. */
  readonly port?: number;
  readonly tls?: "implicit" | "starttls";
  /** What the server says it can do, to play a poorer one. */
  readonly capability?: string;
}

const USER = "bot";
const PASSWORD = "loopback-only";
const BINARY = "/usr/sbin/dovecot";
/** Debian's `nobody` and `nogroup`: Dovecot gives no mail to root. */
const NOBODY = 65_534;
const START_MS = 10_000;

/** A port that nobody listens on now. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

/** Starts a server and waits until it answers. @throws {Error} If it does not */
export async function startDovecot(options: DovecotOptions): Promise<Dovecot> {
  await installDovecot();
  const { folder } = options;
  const port = options.port ?? freePort();
  const run = join(folder, "run");
  const isRoot = Deno.uid() === 0;
  for (const path of [folder, run, join(folder, "mail")]) await Deno.mkdir(path, { recursive: true });
  await Deno.chmod(folder, 0o755);
  if (isRoot) await Deno.chown(join(folder, "mail"), NOBODY, NOBODY);
  const certificate = options.tls !== undefined ? await certify(folder) : null;
  const file = join(folder, "dovecot.conf");
  await Deno.writeTextFile(file, configuration({ ...options, port, run, isRoot }));
  let child = await start(file, port, options.tls === "implicit");
  let deliveries = 0;
  const mailbox = (name: string) => join(folder, "mail", name === "INBOX" ? "" : `.${name}`);
  const own = (path: string) => isRoot && Deno.chownSync(path, NOBODY, NOBODY);
  return {
    port,
    user: USER,
    password: PASSWORD,
    folder,
    certificate,
    deliver(message, name = "INBOX") {
      const box = mailbox(name);
      for (const part of [box, ...["tmp", "new", "cur"].map((each) => join(box, each))]) {
        Deno.mkdirSync(part, { recursive: true });
        own(part);
      }
      const unique = `${Date.now()}.${String(++deliveries).padStart(6, "0")}.${port}`;
      const bytes = typeof message === "string" ? new TextEncoder().encode(message) : message;
      Deno.writeFileSync(join(box, "tmp", unique), bytes);
      own(join(box, "tmp", unique));
      Deno.renameSync(join(box, "tmp", unique), join(box, "new", unique));
    },
    forgetUids(name = "INBOX") {
      const box = mailbox(name);
      for (const { name: entry } of Deno.readDirSync(box)) {
        if (/^dovecot/.test(entry)) Deno.removeSync(join(box, entry), { recursive: true });
      }
    },
    signal: (name) => signalGroup(child.pid, name),
    async restart() {
      signalGroup(child.pid, "KILL");
      await child.status;
      child = await start(file, port, options.tls === "implicit");
    },
    async stop() {
      // Its children leave their clients in peace while the master is told to end.
      signalGroup(child.pid, "KILL");
      await child.status;
    },
  };
}

/** In a process group of its own, so that one signal reaches the master and all of its children. */
async function start(file: string, port: number, isTls: boolean): Promise<Deno.ChildProcess> {
  const child = new Deno.Command("setsid", {
    args: [BINARY, "-F", "-c", file],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await answers(port, isTls);
  return child;
}

function signalGroup(pid: number, name: string): void {
  // The group may be gone already.
  new Deno.Command("sh", { args: ["-c", `kill -s ${name} -- -${pid}`], stderr: "null" }).outputSync();
}

/** Installs Dovecot where that is possible. @throws {Error} With the command to run, where it is not */
export async function installDovecot(): Promise<void> {
  if (isThere()) return;
  const command = "apt-get update && apt-get install -y dovecot-imapd";
  if (Deno.uid() === 0) {
    await new Deno.Command("sh", {
      args: ["-c", command],
      env: { DEBIAN_FRONTEND: "noninteractive" },
      stdout: "null",
      stderr: "null",
    }).output();
    if (isThere()) return;
  }
  throw new Error(`these tests need Dovecot, which is not installed. Run: sudo sh -c '${command}'`);
}

function isThere(): boolean {
  try {
    return Deno.statSync(BINARY).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Makes `cert.pem` and `key.pem` in the folder, self-signed, for localhost. @returns The certificate */
export async function certify(folder: string): Promise<string> {
  const certificate = join(folder, "cert.pem");
  const { success, stderr } = await new Deno.Command("openssl", {
    args: [
      ..."req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split(" "),
      ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
      ...["-keyout", join(folder, "key.pem"), "-out", certificate],
    ],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`openssl: ${new TextDecoder().decode(stderr)}`);
  return await Deno.readTextFile(certificate);
}

function configuration(
  { folder, port, run, tls, capability, isRoot }: DovecotOptions & {
    readonly port: number;
    readonly run: string;
    readonly isRoot: boolean;
  },
): string {
  const me = isRoot ? null : Deno.env.get("USER") ?? "nobody";
  return `
protocols = imap
listen = 127.0.0.1
base_dir = ${run}
log_path = ${join(folder, "dovecot.log")}
default_internal_user = ${me ?? "dovecot"}
default_login_user = ${me ?? "dovenull"}
${me === null ? "" : `default_internal_group = ${me}\n`}
ssl = ${tls !== undefined ? "yes" : "no"}
${tls !== undefined ? `ssl_cert = <${join(folder, "cert.pem")}\nssl_key = <${join(folder, "key.pem")}` : ""}
disable_plaintext_auth = no
auth_mechanisms = plain login
# The tests log in wrongly, and often.
auth_failure_delay = 0
${capability === undefined ? "" : `imap_capability = ${capability}`}
mail_location = maildir:${join(folder, "mail")}
mail_max_userip_connections = 100
# Folders are made behind its back.
mailbox_list_index = no
# An IDLE hears of a delivery this late where the kernel does not tell.
mailbox_idle_check_interval = 1 secs
namespace inbox {
  inbox = yes
  separator = .
}
passdb {
  driver = static
  args = password={PLAIN}${PASSWORD}
}
userdb {
  driver = static
  args = uid=${isRoot ? NOBODY : Deno.uid()} gid=${isRoot ? NOBODY : Deno.gid()} home=${folder}
}
service imap-login {
  ${isRoot ? "" : "chroot ="}
  inet_listener imap {
    port = ${tls === "implicit" ? 0 : port}
  }
  inet_listener imaps {
    port = ${tls === "implicit" ? port : 0}
    ssl = yes
  }
}
service anvil {
  ${isRoot ? "" : "chroot ="}
}
service stats {
  ${isRoot ? "" : "chroot ="}
}
`;
}

/** Waits until the server greets. */
async function answers(port: number, isTls: boolean): Promise<void> {
  for (const end = Date.now() + START_MS; Date.now() < end;) {
    try {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      if (isTls) return;
      const buffer = new Uint8Array(256);
      const length = await connection.read(buffer) ?? 0;
      if (new TextDecoder().decode(buffer.subarray(0, length)).startsWith("* OK")) return;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Dovecot does not answer on port ${port}`);
}
