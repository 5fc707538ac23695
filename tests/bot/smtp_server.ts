/**
 * A receiving mail server that takes mails, or misbehaves as told.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { SMTPServer, type SMTPServerSession } from "smtp-server";

/** How the server misbehaves; nothing set: it does not. */
export interface SmtpBehaviour {
  /** The answers to MAIL FROM, RCPT TO and the end of the data. */
  readonly mailFrom?: number;
  readonly rcptTo?: number;
  readonly data?: number;
  /** This recipient alone is refused. */
  readonly refuse?: string;
  /** When the connection is closed; `silent`: it stays open and nothing is said after the data. */
  readonly hangUp?: "mail" | "data" | "silent";
  /** Nobody may log in. */
  readonly auth?: "no";
  /** PEM of key and certificate: STARTTLS is offered. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** A mail that was taken. */
export interface TakenMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly text: string;
  readonly isSecure: boolean;
}

/** A running server. */
export interface TestSmtp {
  readonly port: number;
  readonly mails: TakenMail[];
  /** Changed at any time. */
  behaviour: SmtpBehaviour;
  /** Called with a mail before the client learns that it was taken. */
  onMail: ((mail: TakenMail) => void) | null;
  /** Closes every connection at once. */
  breakAll(): void;
  stop(): Promise<void>;
}

/** Starts on a free port of the loopback. */
export async function startSmtp(behaviour: SmtpBehaviour = {}): Promise<TestSmtp> {
  const failure = (code: number) => Object.assign(new Error("as told"), { responseCode: code });
  const mails: TakenMail[] = [];
  const sockets = new Set<{ destroy(): void }>();
  const closeAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  const server = new SMTPServer({
    authOptional: true,
    ...(behaviour.tls ?? { disabledCommands: ["STARTTLS"] }),
    disableReverseLookup: true,
    closeTimeout: 100,
    onAuth: (_auth, _session, callback) => callback(failure(535)),
    onMailFrom(_address, _session, callback) {
      const { mailFrom, hangUp } = test.behaviour;
      if (hangUp === "mail") return closeAll();
      callback(mailFrom === undefined ? null : failure(mailFrom));
    },
    onRcptTo({ address }, _session, callback) {
      const { rcptTo, refuse } = test.behaviour;
      const code = rcptTo ?? (refuse === address ? 550 : null);
      callback(code === null ? null : failure(code));
    },
    onData(stream, { envelope, secure }: SMTPServerSession, callback) {
      const chunks: Uint8Array[] = [];
      stream.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      stream.on("end", () => {
        const { data, hangUp } = test.behaviour;
        if (hangUp === "silent") return;
        if (hangUp === "data") return closeAll();
        if (data !== undefined) return callback(failure(data));
        const mail = {
          from: envelope.mailFrom === false ? "" : envelope.mailFrom.address,
          to: envelope.rcptTo.map(({ address }) => address),
          text: Buffer.concat(chunks).toString("utf8"),
          isSecure: secure,
        };
        mails.push(mail);
        test.onMail?.(mail);
        callback(null, "taken");
      });
    },
  });
  server.on("error", () => {});
  server.server.on("connection", (socket: { destroy(): void; on(event: "close", run: () => void): void }) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const test: TestSmtp = {
    port: (server.server.address() as { port: number }).port,
    mails,
    behaviour,
    onMail: null,
    breakAll: closeAll,
    async stop() {
      closeAll();
      await new Promise<void>((resolve) => server.close(resolve));
    },
  };
  return test;
}
