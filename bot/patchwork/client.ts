/**
 * Checks of patches on a patchwork, by its REST API (1.2 and newer, which find a patch by its Message-ID). A check can
 * be added, never changed (getpatchwork/patchwork#398): what stands there already is not said again.
 *
 * @module
 */

/** Which patchwork, and as whom. */
export interface PatchworkOptions {
  /** `https://patchwork.kernel.org`. */
  readonly url: string;
  readonly token: string;
  /** Only the patches of this project; null: of every list that the mail went to. */
  readonly project: string | null;
  /** Names the check among others of the patch. */
  readonly context: string;
  /** Waits; seconds. */
  readonly wait: (seconds: number) => Promise<void>;
}

/** What a check says. */
export interface Check {
  readonly state: "success" | "warning" | "fail";
  readonly description: string;
  /** null: there is nothing to open. */
  readonly targetUrl: string | null;
}

/** What became of a check: for how many patches it was written, and for how many it stood there. */
export interface Posted {
  readonly written: number;
  readonly unchanged: number;
}

/** A request that failed for good. */
export class PatchworkError extends Error {
  override readonly name = "PatchworkError";
}

/** Whether the request may succeed later; where a connection broke it may also have succeeded. */
class Later extends Error {
  constructor(message: string, readonly seconds: number | null, options?: ErrorOptions) {
    super(message, options);
  }
}

/** A patchwork that takes checks. */
export interface Patchwork {
  /**
   * Says of a patch what the check says.
   *
   * @param messageId Without the angle brackets
   * @throws {PatchworkError} If patchwork does not take it
   */
  post(messageId: string, check: Check): Promise<Posted>;
}

const MAX_TRIES = 4;
const MAX_WAIT_S = 120;
const TIMEOUT_MS = 30_000;

/** @throws {PatchworkError} If the address is none */
export function openPatchwork({ url, token, project, context, wait }: PatchworkOptions): Patchwork {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new PatchworkError(`"${url}" is no address of a patchwork`);
  }
  const api = `${url.replace(/\/+$/, "").replace(/\/api(?:\/[\d.]+)?$/, "")}/api/1.2`;
  // On a connection of its own a request is sent once: Deno's fetch repeats what breaks on one that it had kept.
  const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });

  const ask = async (method: "GET" | "POST", path: string, body: unknown): Promise<unknown> => {
    let response: Response;
    try {
      response = await fetch(api + path, {
        method,
        client,
        // A token is for this host.
        redirect: "error",
        signal: AbortSignal.timeout(TIMEOUT_MS),
        headers: {
          authorization: `Token ${token}`,
          accept: "application/json",
          ...(body === null ? {} : { "content-type": "application/json" }),
        },
        ...(body === null ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (response.ok) return JSON.parse(text);
      const said = `${method} ${path}: ${response.status} ${text.slice(0, 200)}`;
      if (response.status === 429 || response.status >= 500) {
        const after = Number(response.headers.get("retry-after"));
        throw new Later(said, Number.isFinite(after) && after > 0 ? after : null);
      }
      throw new PatchworkError(`Cannot ${said}`);
    } catch (cause) {
      if (cause instanceof Later || cause instanceof PatchworkError) throw cause;
      throw new Later(`${method} ${path}: ${(cause as Error).message}`, null, { cause });
    }
  };

  /** Reads and writes again until both went through: the reading tells whether the writing did. */
  const insist = async <Answer>(run: () => Promise<Answer>): Promise<Answer> => {
    for (let attempt = 1;; attempt++) {
      try {
        return await run();
      } catch (error) {
        if (!(error instanceof Later)) throw error;
        const seconds = error.seconds ?? attempt * attempt;
        if (attempt === MAX_TRIES || seconds > MAX_WAIT_S) {
          throw new PatchworkError(`Cannot ${error.message}`);
        }
        await wait(seconds);
      }
    }
  };

  return {
    async post(messageId, { state, description, targetUrl }) {
      const query = new URLSearchParams({ msgid: messageId, ...(project === null ? {} : { project }) });
      const patches = await insist(async () => rows(await ask("GET", `/patches/?${query}`, null)));
      if (patches.length === 0) {
        throw new PatchworkError(`Cannot find <${messageId}>: patchwork has no such patch`);
      }
      let written = 0;
      let unchanged = 0;
      for (const { id } of patches) {
        const isNew = await insist(async () => {
          const known = rows(
            await ask("GET", `/patches/${Number(id)}/checks/?${new URLSearchParams({ context })}`, null),
          );
          const last = known.filter((one) => one.context === context).at(-1);
          if (last !== undefined && last.state === state && last.description === description) return false;
          await ask("POST", `/patches/${Number(id)}/checks/`, {
            state,
            target_url: targetUrl,
            context,
            description,
          });
          return true;
        });
        if (isNew) written++;
        else unchanged++;
      }
      return { written, unchanged };
    },
  };
}

/** @throws {PatchworkError} If the answer is no list of objects with ids */
function rows(answer: unknown): readonly Readonly<Record<string, unknown>>[] {
  const isRow = (row: unknown) =>
    typeof row === "object" && row !== null && Number.isSafeInteger((row as { id?: unknown }).id);
  if (!Array.isArray(answer) || !answer.every(isRow)) {
    throw new PatchworkError("Cannot read the answer: it is no patchwork's");
  }
  return answer;
}
