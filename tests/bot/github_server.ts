/**
 * A GitHub for tests: keeps state, and holds every request against GitHub's own descriptions (fixtures/schemas) and
 * documented limits. What these do not allow is an offence, which every test asks for at its end.
 *
 * @module
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { buildSchema, graphql } from "graphql";

const SCHEMAS = new URL("../../fixtures/schemas/", import.meta.url);

type Json = Record<string, unknown>;
type Schema = Json & {
  readonly $ref?: string;
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
};
interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  readonly schema: Schema;
}
interface Operation {
  readonly parameters: readonly (Parameter | { readonly $ref: string })[];
  readonly requestBody?: {
    readonly required?: boolean;
    readonly content: Record<string, { readonly schema: Schema }>;
  };
  readonly responses: Json;
}

const OPENAPI = JSON.parse(Deno.readTextFileSync(new URL("github-openapi.json", SCHEMAS))) as {
  readonly paths: Record<string, Record<string, Operation>>;
} & Json;
const GRAPHQL = buildSchema(Deno.readTextFileSync(new URL("github.graphql", SCHEMAS)));

const ajv = new Ajv({ strict: false, allErrors: true, coerceTypes: false });
(addFormats as unknown as (ajv: Ajv) => void)(ajv);
ajv.addSchema(OPENAPI, "github");

/** What a request may meet instead of an answer. */
export type Fault =
  /** An answer of this kind, and nothing is done. */
  | { readonly status: number; readonly headers?: Record<string, string>; readonly message?: string }
  /** Nothing comes, and nothing is done. */
  | "hang"
  /** The connection breaks, before or after the request was carried out. */
  | "cut before"
  | "cut after";

/** One request as it came. */
export interface Seen {
  readonly method: string;
  /** Without the prefix and the query. */
  readonly path: string;
  readonly body: Json;
  readonly isWrite: boolean;
  /** The answer's; 0: none. */
  status: number;
}

export interface Annotation {
  readonly path: string;
  readonly start_line: number;
  readonly raw_details: string;
  readonly annotation_level: string;
  readonly title: string;
  readonly message: string;
}

export interface CheckRun {
  readonly id: number;
  readonly name: string;
  readonly head_sha: string;
  readonly external_id: string;
  status: string;
  conclusion: string | null;
  readonly annotations: Annotation[];
}

export interface Comment {
  readonly id: number;
  body: string;
  readonly isOurs: boolean;
}

export interface Thread extends Comment {
  readonly path: string;
  readonly line: number;
  readonly side: string;
  isResolved: boolean;
}

/** The status of a commit, as it was set. */
export interface CommitStatus {
  readonly sha: string;
  readonly context: string;
  readonly state: string;
  readonly description: string;
  readonly target_url: string;
}

/** A pull request. */
export interface PullState {
  readonly number: number;
  title: string;
  state: "open" | "closed";
  head: string;
  base: string;
  isFork: boolean;
  branch: string;
  files: { readonly filename: string; readonly patch?: string }[];
  /** As `git format-patch` gives it. */
  patch: string;
}

export class GitHubServer {
  readonly requests: Seen[] = [];
  readonly offences: string[] = [];
  readonly checkRuns: CheckRun[] = [];
  readonly threads: Thread[] = [];
  readonly reviews: Comment[] = [];
  readonly comments: Comment[] = [];
  readonly statuses: CommitStatus[] = [];
  /** Pull requests that can be read, and that nothing may be written to. */
  readonly others: PullState[] = [];
  isReadOnly = false;
  /** Whether the token may resolve threads. */
  mayResolve = true;
  /** Decides what goes wrong; asked for every request. */
  fault: (request: Seen, server: GitHubServer) => Fault | null = () => null;
  /** Lines that GitHub does not take for reasons of its own. */
  readonly refusedLines = new Set<number>();
  tokens: string[] = ["token-of-the-test"];
  private nextId = 3_000_000_001;
  private readonly server = createServer((request, response) => void this.answer(request, response));

  /** @param prefix `/api/v3` for GitHub Enterprise */
  constructor(readonly pull: PullState, private readonly prefix = "") {}

  async start(): Promise<string> {
    await new Promise<void>((done) => this.server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${this.prefix}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((done) => this.server.close(() => done()));
  }

  get writes(): Seen[] {
    return this.requests.filter(({ isWrite }) => isWrite);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk as Uint8Array);
    const text = new TextDecoder().decode(await new Blob(chunks as BlobPart[]).arrayBuffer());
    const url = new URL(request.url!, `http://${request.headers.host}`);
    const graphqlPath = this.prefix === "" ? "/graphql" : "/api/graphql";
    const isGraphql = url.pathname === graphqlPath;
    const path = isGraphql ? "/graphql" : url.pathname.slice(this.prefix.length);
    const body = (text === "" ? {} : JSON.parse(text)) as Json;
    const method = request.method!.toLowerCase();
    const isAuth = path.endsWith("/access_tokens");
    const isWrite = isGraphql ? /^\s*mutation\b/.test(String(body.query)) : method !== "get" && !isAuth;
    const seen: Seen = { method, path, body, isWrite, status: 0 };
    this.requests.push(seen);
    const send = (status: number, content: unknown, headers: Record<string, string> = {}) => {
      seen.status = status;
      response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers });
      response.end(typeof content === "string" ? content : JSON.stringify(content));
    };
    try {
      const fault = this.fault(seen, this);
      if (fault === "hang") return;
      if (fault === "cut before") return void request.socket.destroy();
      if (fault !== null && fault !== "cut after") {
        return send(fault.status, { message: fault.message ?? "made to fail" }, fault.headers);
      }
      if (!isAuth && !this.tokens.some((token) => request.headers.authorization?.endsWith(` ${token}`))) {
        return send(401, { message: "Bad credentials" });
      }
      const [status, content, headers] = isGraphql
        ? await this.answerGraphql(body, isWrite)
        : this.answerRest(method, path, url, text === "" ? null : body, request);
      if (fault === "cut after") return void request.socket.destroy();
      send(status, content, headers);
    } catch (error) {
      this.offences.push(`${method} ${path}: ${(error as Error).stack}`);
      send(500, { message: "the test server broke" });
    }
  }

  private offend(what: string): [number, unknown] {
    this.offences.push(what);
    return [400, { message: what }];
  }

  private answerRest(
    method: string,
    path: string,
    url: URL,
    body: Json | null,
    request: IncomingMessage,
  ): [number, unknown, Record<string, string>?] {
    const found = operationAt(method, path);
    if (found === null) return this.offend(`${method} ${path} is no operation of GitHub that we know`);
    const { template, operation, values } = found;
    const problems = problemsOf(template, method, operation, values, url, body);
    if (problems.length > 0) return this.offend(`${method} ${path}: ${problems.join("; ")}`);
    if (method !== "get" && this.isReadOnly) {
      return [403, { message: "Resource not accessible by integration" }];
    }
    const all = Object.fromEntries([...values, ...url.searchParams]);
    const answer = this.carryOut(`${method} ${template}`, all, body ?? {}, request);
    const status = String(answer[0]);
    if (!(status in operation.responses) && !["403", "404", "422"].includes(status)) {
      this.offences.push(`the test server answers ${status} to ${method} ${template}, GitHub does not`);
    }
    return Array.isArray(answer[1]) ? paged(answer[1], url) : answer;
  }

  private carryOut(
    operation: string,
    values: Record<string, string>,
    body: Json,
    request: IncomingMessage,
  ): [number, unknown, Record<string, string>?] {
    const number = Number(values.pull_number ?? values.issue_number ?? this.pull.number);
    const pull = [this.pull, ...this.others].find((one) => one.number === number);
    if (pull === undefined) return [404, { message: "Not Found" }];
    if (pull !== this.pull && !operation.startsWith("get ")) {
      return this.offend(`${operation} to pull request ${number}`) as [number, unknown];
    }
    switch (operation) {
      case "post /app/installations/{installation_id}/access_tokens": {
        if (!/^bearer [\w-]+\.[\w-]+\.[\w-]+$/i.test(request.headers.authorization ?? "")) {
          return [401, { message: "no JWT" }];
        }
        const token = `ghs_${"x".repeat(36)}`;
        this.tokens.push(token);
        return [201, { token, expires_at: new Date(Date.now() + 3_600_000).toISOString(), permissions: {} }];
      }
      case "get /repos/{owner}/{repo}":
        return [200, { full_name: "kernel/linux", permissions: { pull: true, push: !this.isReadOnly } }];
      case "get /repos/{owner}/{repo}/pulls":
        return [
          200,
          [this.pull, ...this.others]
            .filter(({ state, branch }) =>
              state === "open" && (values.head === undefined || values.head === `octo:${branch}`)
            )
            .map(shown),
        ];
      case "get /repos/{owner}/{repo}/pulls/{pull_number}":
        return /patch/.test(request.headers.accept ?? "")
          ? [200, pull.patch, { "content-type": "application/vnd.github.patch; charset=utf-8" }]
          : [200, shown(pull)];
      case "get /repos/{owner}/{repo}/pulls/{pull_number}/files":
        return [200, pull.files];
      case "get /repos/{owner}/{repo}/commits/{ref}/check-runs": {
        const runs = this.checkRuns.filter((run) =>
          run.head_sha === values.ref && run.name === values.check_name
        );
        return [200, { total_count: runs.length, check_runs: runs }];
      }
      case "get /repos/{owner}/{repo}/commits/{ref}/statuses":
        return [200, this.statuses.filter(({ sha }) => sha === values.ref).toReversed()];
      case "post /repos/{owner}/{repo}/statuses/{sha}": {
        if (String(body.description ?? "").length > 140) {
          return [422, { message: "description is too long (maximum is 140 characters)" }];
        }
        if (values.sha !== this.pull.head) return [422, { message: "No commit found for SHA" }];
        const status = { ...body, sha: values.sha } as unknown as CommitStatus;
        this.statuses.push(status);
        return [201, status];
      }
      case "post /repos/{owner}/{repo}/check-runs":
        return this.createCheckRun(body);
      case "patch /repos/{owner}/{repo}/check-runs/{check_run_id}": {
        const run = this.checkRuns.find(({ id }) => id === Number(values.check_run_id));
        return run === undefined ? [404, { message: "Not Found" }] : this.updateCheckRun(run, body);
      }
      case "get /repos/{owner}/{repo}/check-runs/{check_run_id}/annotations":
        return [200, this.checkRuns.find(({ id }) => id === Number(values.check_run_id))?.annotations ?? []];
      case "post /repos/{owner}/{repo}/pulls/{pull_number}/reviews":
        return this.createReview(body);
      case "put /repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}":
        return edit(this.reviews, Number(values.review_id), body);
      case "patch /repos/{owner}/{repo}/pulls/comments/{comment_id}":
        return edit(this.threads, Number(values.comment_id), body);
      case "post /repos/{owner}/{repo}/issues/{issue_number}/comments": {
        if (String(body.body).length > 65_536) return tooLong();
        const comment = { id: this.nextId++, body: String(body.body), isOurs: true };
        this.comments.push(comment);
        return [201, comment];
      }
      case "patch /repos/{owner}/{repo}/issues/comments/{comment_id}":
        return edit(this.comments, Number(values.comment_id), body);
      default:
        throw new Error(`not made: ${operation}`);
    }
  }

  private createCheckRun(body: Json): [number, unknown] {
    const run: CheckRun = {
      id: this.nextId++,
      name: String(body.name),
      head_sha: String(body.head_sha),
      external_id: String(body.external_id),
      status: "queued",
      conclusion: null,
      annotations: [],
    };
    if (run.head_sha !== this.pull.head) return [422, { message: "No commit found for SHA" }];
    const [status, content] = this.updateCheckRun(run, body);
    if (status === 200) this.checkRuns.push(run);
    return [status === 200 ? 201 : status, content];
  }

  private updateCheckRun(run: CheckRun, body: Json): [number, unknown] {
    const output = (body.output ?? {}) as { annotations?: Annotation[] };
    const added = output.annotations ?? [];
    // "The Checks API limits the number of annotations to a maximum of 50 per API request."
    if (added.length > 50) return [422, { message: "Invalid request. No more than 50 items are allowed" }];
    if (body.status === "completed" && body.conclusion === undefined) {
      return [422, { message: "conclusion is required" }];
    }
    run.annotations.push(...added);
    run.status = String(body.status ?? run.status);
    run.conclusion = body.conclusion === undefined ? run.conclusion : String(body.conclusion);
    return [200, run];
  }

  private createReview(body: Json): [number, unknown] {
    const comments = (body.comments ?? []) as { path: string; line?: number; side?: string; body: string }[];
    if (body.commit_id !== undefined && body.commit_id !== this.pull.head) {
      return [422, { message: "commit_id is not part of the pull request" }];
    }
    if (body.event === "COMMENT" && String(body.body ?? "") === "") {
      return [422, { message: "body is required" }];
    }
    if (String(body.body ?? "").length > 65_536) return tooLong();
    // Seen by others as 502 (reviewdog #355), documented nowhere: to send more is a mistake of ours.
    if (comments.length > 30) return this.offend(`a review with ${comments.length} comments`);
    for (const { path, line, side, body } of comments) {
      if (body.length > 65_536) return tooLong();
      if (!this.isInDiff(path, line ?? 0, side ?? "RIGHT") || this.refusedLines.has(line ?? 0)) {
        return [422, { message: "Unprocessable Entity", errors: ["Line could not be resolved"] }];
      }
    }
    this.reviews.push({ id: this.nextId++, body: String(body.body ?? ""), isOurs: true });
    for (const { path, line, side, body } of comments) {
      this.threads.push({
        id: this.nextId++,
        body,
        isOurs: true,
        path,
        line: line!,
        side: side ?? "RIGHT",
        isResolved: false,
      });
    }
    return [200, { id: this.reviews.at(-1)!.id }];
  }

  /** Counts by itself, so that our reader of hunks is not asked about its own answers. */
  private isInDiff(path: string, line: number, side: string): boolean {
    const patch = this.pull.files.find(({ filename }) => filename === path)?.patch ?? "";
    let [left, right] = [0, 0];
    for (const row of patch.split("\n")) {
      const at = /^@@ -(\d+)(?:,\d+)? \+(\d+)/.exec(row);
      if (at !== null) [left, right] = [Number(at[1]), Number(at[2])];
      else if (row.startsWith("-")) {
        if (side === "LEFT" && left === line) return true;
        left++;
      } else if (!row.startsWith("\\")) {
        if (side === "RIGHT" && right === line) return true;
        right++;
        if (!row.startsWith("+")) left++;
      }
    }
    return false;
  }

  private async answerGraphql(body: Json, isWrite: boolean): Promise<[number, unknown]> {
    const variables = body.variables as { number?: number };
    const forbidden = (
      message: string,
    ): [number, unknown] => [200, { data: null, errors: [{ type: "FORBIDDEN", message }] }];
    if (isWrite && (this.isReadOnly || !this.mayResolve)) {
      return forbidden("Resource not accessible by integration");
    }
    const comment = ({ id, body, isOurs }: Comment) => ({
      fullDatabaseId: String(id),
      body,
      viewerDidAuthor: isOurs,
    });
    const connection =
      <Item>(items: readonly Item[], show: (item: Item) => unknown) =>
      ({ first, after }: { first?: number; after?: string }) => {
        if (first === undefined || first > 100) throw new Error("`first` must be between 1 and 100");
        const from = after === undefined || after === null ? 0 : Number(after);
        const part = items.slice(from, from + first);
        return {
          nodes: part.map(show),
          pageInfo: { hasNextPage: from + first < items.length, endCursor: String(from + first) },
        };
      };
    const thread = (one: Thread) => ({
      id: `T${one.id}`,
      isResolved: one.isResolved,
      viewerCanResolve: true,
      comments: connection([one], comment),
    });
    const result = await graphql({
      schema: GRAPHQL,
      source: String(body.query),
      variableValues: variables,
      rootValue: {
        repository: () => ({
          pullRequest: ({ number }: { number: number }) =>
            number === this.pull.number
              ? {
                reviewThreads: connection(this.threads, thread),
                reviews: connection(this.reviews, comment),
                comments: connection(this.comments, comment),
              }
              : null,
        }),
        resolveReviewThread: ({ input }: { input: { threadId: string } }) => {
          const found = this.threads.find(({ id }) => `T${id}` === input.threadId);
          if (found === undefined) throw new Error("no such thread");
          found.isResolved = true;
          return { thread: thread(found) };
        },
      },
    });
    for (const { message } of result.errors ?? []) this.offences.push(`graphql: ${message}`);
    return [200, result];
  }
}

const shown = ({ number, title, state, head, base, isFork, branch }: PullState): Json => ({
  number,
  title,
  state,
  head: { sha: head, ref: branch, repo: { full_name: isFork ? "octo/linux" : "kernel/linux" } },
  base: { sha: base, ref: "main", repo: { full_name: "kernel/linux" } },
});

const tooLong = (): [number, unknown] => [422, { message: "body is too long (maximum is 65536 characters)" }];

function edit(comments: Comment[], id: number, { body }: Json): [number, unknown] {
  const found = comments.find((one) => one.id === id);
  if (found === undefined) return [404, { message: "Not Found" }];
  if (String(body).length > 65_536) return tooLong();
  found.body = String(body);
  return [200, found];
}

function paged(all: readonly unknown[], url: URL): [number, unknown, Record<string, string>] {
  const size = Number(url.searchParams.get("per_page") ?? 30);
  const page = Number(url.searchParams.get("page") ?? 1);
  const next = new URL(url);
  next.searchParams.set("page", String(page + 1));
  const headers: Record<string, string> = page * size < all.length ? { link: `<${next}>; rel="next"` } : {};
  return [200, all.slice((page - 1) * size, page * size), headers];
}

function operationAt(method: string, path: string) {
  for (const [template, methods] of Object.entries(OPENAPI.paths)) {
    const operation = methods[method];
    if (operation === undefined) continue;
    const names = Array.from(template.matchAll(/\{(\w+)\}/g), ([, name]) => name!);
    const found = new RegExp(`^${template.replace(/\{\w+\}/g, "([^/]+)")}$`).exec(path);
    if (found === null) continue;
    return {
      template,
      operation,
      values: names.map((name, i) => [name, decodeURIComponent(found[i + 1]!)] as const),
    };
  }
  return null;
}

const resolved = <Value>(value: Value | { readonly $ref: string }): Value => {
  if (typeof value !== "object" || value === null || !("$ref" in value)) return value as Value;
  let found: unknown = OPENAPI;
  for (const part of value.$ref.slice(2).split("/")) found = (found as Json)[part];
  return found as Value;
};

function problemsOf(
  template: string,
  method: string,
  { parameters, requestBody }: Operation,
  values: readonly (readonly [string, string])[],
  url: URL,
  body: Json | null,
): string[] {
  const declared = parameters.map((one) => resolved<Parameter>(one));
  const problems: string[] = [];
  for (const [name, value] of [...values, ...url.searchParams]) {
    const parameter = declared.find((one) => one.name === name && one.in !== "header");
    if (parameter === undefined) problems.push(`there is no parameter ${name}`);
    else if (!fits(resolved<Schema>(parameter.schema), value)) problems.push(`${name} may not be ${value}`);
  }
  for (const { name, required, in: where } of declared) {
    if (required === true && where === "query" && !url.searchParams.has(name)) {
      problems.push(`${name} is missing`);
    }
  }
  if (body === null) {
    if (requestBody?.required === true) problems.push("there is no body");
    return problems;
  }
  if (requestBody === undefined) return [...problems, "there is a body"];
  const pointer = [template, method, "requestBody", "content", "application/json", "schema"]
    .map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/");
  const isValid = ajv.compile({ $ref: `github#/paths/${pointer}` });
  if (!isValid(body)) problems.push(ajv.errorsText(isValid.errors));
  problems.push(...unknownIn(requestBody.content["application/json"]!.schema, body, "body"));
  return problems;
}

/** JSON Schema lets pass what it does not name; GitHub ignores it, so it is a mistake of ours all the same. */
function unknownIn(given: Schema, value: unknown, where: string): string[] {
  const schema = resolved<Schema>(given);
  if (Array.isArray(value)) {
    return schema.items === undefined
      ? []
      : value.flatMap((one, i) => unknownIn(schema.items!, one, `${where}[${i}]`));
  }
  if (typeof value !== "object" || value === null) return [];
  const known: Record<string, Schema> = {};
  const collect = (some: Schema) => {
    const one = resolved<Schema>(some);
    Object.assign(known, one.properties);
    for (const kind of ["oneOf", "anyOf", "allOf"]) {
      for (const part of (one[kind] ?? []) as Schema[]) collect(part);
    }
  };
  collect(schema);
  return Object.entries(value).flatMap(([key, inner]) =>
    key in known ? unknownIn(known[key]!, inner, `${where}.${key}`) : [`${where}.${key} is not known`]
  );
}

function fits(schema: Schema, value: string): boolean {
  const typed = schema.type === "integer"
    ? Number(value)
    : schema.type === "boolean"
    ? value === "true"
    : value;
  return ajv.compile(schema)(typed);
}
