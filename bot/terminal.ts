/**
 * Where a command prints. The commands are handed one, so tests can read what they print. Only `denoTerminal` touches
 * the process.
 *
 * @module
 */

/** Standard output and standard error. */
export interface Terminal {
  /** Writes all of the text to standard output before it returns. */
  out(text: string): void;
  /** Writes all of the text to standard error before it returns. */
  err(text: string): void;
  /** Whether standard output is a terminal that may be painted; false where NO_COLOR is set. */
  readonly isColorful: boolean;
  /** Whether standard output is a terminal. */
  readonly isOutTerminal: boolean;
  /** Whether standard error is a terminal, so progress can be shown there. */
  readonly isErrTerminal: boolean;
}

/** The reader of standard output has gone (`| head`): no fault of ours, and nothing more to do. */
export class ClosedOutput extends Error {
  override readonly name = "ClosedOutput";
}

/** The process's own streams. */
export function denoTerminal(): Terminal {
  const encoder = new TextEncoder();
  const write = (stream: { writeSync(bytes: Uint8Array): number }, text: string) => {
    let bytes = encoder.encode(text);
    while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
  };
  const isOutTerminal = Deno.stdout.isTerminal();
  return {
    out(text) {
      try {
        write(Deno.stdout, text);
      } catch (cause) {
        if (cause instanceof Deno.errors.BrokenPipe) {
          throw new ClosedOutput("standard output is closed", { cause });
        }
        throw cause;
      }
    },
    err: (text) => write(Deno.stderr, text),
    isOutTerminal,
    isColorful: isOutTerminal && !Deno.noColor,
    isErrTerminal: Deno.stderr.isTerminal(),
  };
}
