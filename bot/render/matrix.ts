/**
 * All APIs on all machines: as a table of at most 72 columns for the built-in ones, and as JSON. Pure.
 *
 * @module
 */

import type { ApiName } from "../../rules/model/operation.ts";
import type { Outcome } from "../../rules/model/outcome.ts";
import { NAMED, naming } from "./machines.ts";
import { MODEL_SCHEMA } from "./outcome.ts";
import { printable } from "./printable.ts";
import { hang, WIDTH } from "./wrap.ts";

/** An API with its outcome on each machine. */
export interface MatrixLine {
  readonly api: ApiName;
  readonly outcomes: readonly Outcome[];
}

/** The table, with what its words mean. */
export function matrixLines(rows: readonly MatrixLine[]): string[] {
  const machines = rows[0]?.outcomes ?? [];
  const name = Math.max(...rows.map(({ api }) => api.length));
  const cell = (text: string) => text.padStart(5);
  const seen = new Set(rows.flatMap(({ outcomes }) => outcomes.map(naming)));
  return [
    "".padEnd(name) + machines.map((_, i) => cell(String(i + 1))).join(""),
    ...rows.map(({ api, outcomes }) =>
      api.padEnd(name) + outcomes.map((each) => cell(naming(each).code)).join("")
    ),
    "",
    ...machines.flatMap(({ fabric: { topology } }, i) =>
      hang(printable(`${topology.name}: ${topology.title}`), WIDTH, `${String(i + 1).padStart(4)}  `)
    ),
    "",
    ...NAMED.filter((each) => seen.has(each)).flatMap(({ code, phrase }) =>
      hang(phrase.replace(/,? on$/, ""), WIDTH, `${code.padStart(4)}  `)
    ),
  ];
}

/** The table as JSON. */
export function matrixRow(rows: readonly MatrixLine[]): unknown {
  return {
    schema: MODEL_SCHEMA,
    matrix: rows.map(({ api, outcomes }) => ({
      api,
      machines: outcomes.map(({ fabric, verdict, result }) => ({
        topology: fabric.topology.name,
        verdict,
        result: result.kind,
        text: result.text,
      })),
    })),
  };
}
