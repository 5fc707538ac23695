/**
 * The server that takes our mail. Sends the bytes that were composed, and tells whether a failure is for now, for
 * good, or leaves it open whether the mail was taken. The only file that names nodemailer.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Readable } from "node:stream";
import nodemailer from "nodemailer";
import { DeliveryError, type ReplyPost, type Sink } from "../ports.ts";

/** Where and how to connect. */
export interface SmtpOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: "implicit" | "starttls" | "none";
  readonly timeoutSeconds: number;
  readonly user: string | null;
  readonly password: string | null;
  /** PEM of the certificates to trust instead of the usual ones; null: the usual ones. */
  readonly ca: string | null;
}

/** What nodemailer says of a failure. */
interface SmtpFailure extends Error {
  readonly code?: string;
  readonly responseCode?: number;
  readonly response?: string;
}

const SECOND_MS = 1000;

/** Sends through the server, one connection a mail. */
export function smtpSink(options: SmtpOptions): Sink<ReplyPost> {
  return {
    name: "smtp",
    isIdempotent: false,
    async deliver(post, signal) {
      if (signal.aborted) throw new DeliveryError(`post ${post.id}: the bot is about to end`, "later");
      const transport = transportTo(options);
      const data = new Data(post.text.replaceAll("\n", "\r\n"));
      try {
        const { rejected, response } = await transport.sendMail({
          envelope: {
            from: post.sender,
            to: [...post.recipients],
            use8BitMime: Buffer.byteLength(post.text) !== post.text.length,
          },
          raw: data.stream,
        });
        const refused = rejected.length > 0 ? `; refused: ${rejected.map(String).join(", ")}` : "";
        return `${response}${refused}`;
      } catch (error) {
        throw toDeliveryError(error as SmtpFailure, post, data.isBegun);
      } finally {
        transport.close();
      }
    },
  };
}

/** Connects and logs in, for `p2plint doctor`. @throws {Error} If that does not work */
export async function verifySmtp(options: SmtpOptions): Promise<void> {
  const transport = transportTo(options);
  try {
    await transport.verify();
  } finally {
    transport.close();
  }
}

/**
 * A text that is read once, and knows whether that has begun: before it nothing can have been taken. nodemailer reads
 * ahead from MAIL FROM on, so a break between that and the data counts as open too: it costs a look at the list.
 */
class Data {
  isBegun = false;
  readonly stream: Readable;

  constructor(text: string) {
    const begin = () => this.isBegun = true;
    this.stream = Readable.from((function* () {
      begin();
      yield text;
    })());
  }
}

function transportTo({ host, port, tls, timeoutSeconds, user, password, ca }: SmtpOptions) {
  const timeout = timeoutSeconds * SECOND_MS;
  return nodemailer.createTransport({
    host,
    port,
    secure: tls === "implicit",
    requireTLS: tls === "starttls",
    ignoreTLS: tls === "none",
    connectionTimeout: timeout,
    greetingTimeout: timeout,
    socketTimeout: timeout,
    ...(user === null ? {} : { auth: { user, pass: password ?? "" } }),
    ...(ca === null ? {} : { tls: { ca } }),
  });
}

/**
 * 4yz is for now, 5yz for good (RFC 5321 4.2.1). Without an answer, it is open whether the mail was taken once its
 * data were read.
 */
function toDeliveryError(error: SmtpFailure, { id }: ReplyPost, isBegun: boolean): DeliveryError {
  const { responseCode, code, response } = error;
  const said = `${response ?? error.message}${code === undefined ? "" : ` (${code})`}`;
  const wrap = (outcome: DeliveryError["outcome"]) =>
    new DeliveryError(`post ${id}: ${said}`, outcome, { cause: error });
  // What is said of greeting, TLS or login is not said of the mail.
  const isOfMail = code === "EENVELOPE" || code === "EMESSAGE";
  if (isOfMail && responseCode !== undefined) return wrap(responseCode >= 500 ? "never" : "later");
  if (responseCode !== undefined) return wrap("later");
  return wrap(isBegun ? "unknown" : "later");
}
