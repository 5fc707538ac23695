import { deepEqual, equal, match, ok } from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { patchworkCommand, postChecks } from "../../bot/patchwork_command.ts";
import { readArguments } from "../../bot/options.ts";
import { keep } from "./reports.ts";

const FIXTURES = new URL("../../fixtures/", import.meta.url).pathname;

interface Posted {
  readonly id: number;
  readonly state: string;
  readonly context: string;
  readonly description: string;
  readonly target_url: string | null;
}

type Fault = "cut before" | "cut after" | {
  readonly status: number;
  readonly headers?: Record<string, string>;
};

/** A patchwork for tests: what patchwork/api/check.py and filters.py of patchwork do, for patches by Message-ID. */
class PatchworkServer {
  readonly checks = new Map<number, Posted[]>();
  readonly offences: string[] = [];
  readonly seen: { readonly method: string; readonly path: string }[] = [];
  fault: (at: number) => Fault | null = () => null;
  mayAdd = true;
  private readonly server = createServer(async (request, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk as Uint8Array);
    const text = new TextDecoder().decode(await new Blob(chunks as BlobPart[]).arrayBuffer());
    const url = new URL(request.url!, "http://localhost");
    this.seen.push({ method: request.method!, path: url.pathname });
    const fault = this.fault(this.seen.length);
    if (fault === "cut before") return void request.socket.destroy();
    const send = (status: number, body: unknown, headers: Record<string, string> = {}) => {
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(JSON.stringify(body));
    };
    if (fault !== null && fault !== "cut after") {
      return send(fault.status, { detail: "made to fail" }, fault.headers);
    }
    if (request.headers.authorization !== "Token secret") return send(401, { detail: "Invalid token." });
    const [status, body] = this.answer(request.method!, url, text);
    if (fault === "cut after") return void request.socket.destroy();
    send(status, body);
  });

  /** @param patches Message-ID to the ids of its patches: the same mail went to several lists */
  constructor(readonly patches: ReadonlyMap<string, readonly number[]>) {}

  async start(): Promise<string> {
    await new Promise<void>((done) => this.server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((done) => this.server.close(() => done()));
  }

  private answer(method: string, url: URL, text: string): [number, unknown] {
    if (method === "GET" && url.pathname === "/api/1.2/patches/") {
      const found = this.patches.get(url.searchParams.get("msgid") ?? "") ?? [];
      const { 0: first } = found;
      const wanted = url.searchParams.get("project") === "one" ? [first!] : found;
      return [200, wanted.map((id) => ({ id, msgid: `<${url.searchParams.get("msgid")}>` }))];
    }
    const id = Number(/^\/api\/1\.2\/patches\/(\d+)\/checks\/$/.exec(url.pathname)?.[1] ?? NaN);
    if (![...this.patches.values()].flat().includes(id)) {
      this.offences.push(`${method} ${url.pathname}`);
      return [404, { detail: "Not found." }];
    }
    const checks = this.checks.get(id) ?? [];
    if (method === "GET") {
      const context = url.searchParams.get("context");
      return [200, checks.filter((one) => context === null || one.context === context)];
    }
    if (!this.mayAdd) return [403, { detail: "You do not have permission to perform this action." }];
    const body = JSON.parse(text) as Posted;
    const isValid = ["pending", "success", "warning", "fail"].includes(body.state) &&
      /^[-\w]{1,255}$/.test(body.context) &&
      (body.target_url === null || URL.canParse(body.target_url)) &&
      Object.keys(body).every((key) => ["state", "target_url", "context", "description"].includes(key));
    if (!isValid) {
      this.offences.push(`a check that patchwork does not take: ${text}`);
      return [400, {}];
    }
    const made = { ...body, id: 1000 + checks.length };
    this.checks.set(id, [...checks, made]);
    return [201, made];
  }
}

/** The fixture as it would come from a list. */
async function withMail(use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    const fixture = await Deno.readTextFile(`${FIXTURES}p2p-export.patch`);
    await Deno.writeTextFile(
      path,
      fixture.replace(/^From .*\n/, "").replace("Subject:", "Message-ID: <1/a+b@example.org>\nSubject:"),
    );
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

const ID = "1/a+b@example.org";

async function withServer(
  use: (
    server: PatchworkServer,
    run: (...argv: string[]) => Promise<{ code: number; err: string }>,
  ) => Promise<void>,
) {
  const server = new PatchworkServer(new Map([[ID, [7, 8]]]));
  const url = await server.start();
  try {
    await withMail((path) =>
      use(server, async (...argv) => {
        const terminal = keep();
        const args = await readArguments(patchworkCommand.command, ["--url", url, ...argv, path]);
        const code = await postChecks(args, terminal, {
          env: (name) => name === "PATCHWORK_TOKEN" ? "secret" : null,
          secondMs: 1,
        });
        return { code, err: terminal.printed.err };
      })
    );
    deepEqual(server.offences, []);
  } finally {
    await server.stop();
  }
}

Deno.test("patchwork posts a check for the patch on every list, and nothing a second time", () =>
  withServer(async (server, run) => {
    equal((await run("--target-url", "https://example.org/p2plint")).code, 1);
    for (const id of [7, 8]) {
      const [check, ...others] = server.checks.get(id)!;
      deepEqual([check!.state, check!.context, check!.target_url, others], [
        "fail",
        "p2plint",
        "https://example.org/p2plint",
        [],
      ]);
      match(check!.description, /^1 error.*; drivers\/misc\/foo_export\.c:\d+: /);
      ok(check!.description.length <= 250);
    }
    const { err } = await run("--target-url", "https://example.org/p2plint");
    match(err, /unchanged \(2\)/);
    deepEqual([server.checks.get(7)!.length, server.checks.get(8)!.length], [1, 1]);
    // With fewer rules it has another thing to say.
    equal((await run("--rules", "dma-mapping-leak")).code, 0);
    deepEqual(server.checks.get(7)!.map(({ state }) => state), ["fail", "success"]);
  }));

Deno.test("patchwork keeps to a project", () =>
  withServer(async (server, run) => {
    await run("--project", "one");
    deepEqual([...server.checks.keys()], [7]);
  }));

const FAULTS: readonly Fault[] = [
  "cut before",
  "cut after",
  { status: 429, headers: { "retry-after": "2" } },
  { status: 500 },
  { status: 503 },
];

Deno.test("patchwork loses and repeats nothing, whatever fails once", async () => {
  for (const fault of FAULTS) {
    for (let at = 1; at <= 5; at++) {
      await withServer(async (server, run) => {
        server.fault = (no) => no === at ? fault : null;
        equal((await run()).code, 1, `${JSON.stringify(fault)} ${at}`);
        deepEqual(
          [server.checks.get(7)!.length, server.checks.get(8)!.length],
          [1, 1],
          `${JSON.stringify(fault)} ${at}`,
        );
      });
    }
  }
});

Deno.test("patchwork says what it could not post, and fails", () =>
  withServer(async (server, run) => {
    server.mayAdd = false;
    const refused = await run();
    deepEqual([refused.code, /403 .*do not have permission/.test(refused.err)], [2, true], refused.err);
    server.fault = () => ({ status: 502 });
    const down = await run();
    deepEqual([down.code, /502/.test(down.err)], [2, true], down.err);
    (server.patches as Map<string, number[]>).clear();
    server.fault = () => null;
    match((await run()).err, /patchwork has no such patch/);
  }));
