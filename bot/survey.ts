/**
 * A survey of a tree in parallel workers. Answers come in the order of the lots, however the workers finish.
 *
 * @module
 */

import type { Lot } from "../rules/tree/survey.ts";
import type { SurveyAnswer, SurveyStart } from "./survey_worker.ts";

/** A lot with what was found in it. */
export interface Surveyed extends SurveyAnswer {
  readonly lot: Lot;
}

/** Lots that may be done ahead of the one that is waited for: a bound on what is kept. */
const MAX_AHEAD = 64;

/**
 * Judges lots.
 *
 * @param jobs Workers
 * @throws {Error} If a worker fails: a bug of ours or a broken installation
 */
export async function* survey(
  start: SurveyStart,
  lots: Iterable<Lot>,
  jobs: number,
): AsyncGenerator<Surveyed, void, void> {
  const workers = Array.from({ length: jobs }, () => new SurveyWorker(start));
  const idle = [...workers];
  const waiting: (() => void)[] = [];
  const free = async (): Promise<SurveyWorker> => {
    while (idle.length === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    return idle.pop()!;
  };
  const run = async (lot: Lot): Promise<Surveyed> => {
    const worker = await free();
    try {
      return { lot, ...await worker.ask(lot) };
    } finally {
      idle.push(worker);
      waiting.shift()?.();
    }
  };
  try {
    const pending: Promise<Surveyed>[] = [];
    for (const lot of lots) {
      pending.push(run(lot));
      // A failure is told when its turn comes.
      pending.at(-1)!.catch(() => {});
      if (pending.length > MAX_AHEAD) yield await pending.shift()!;
    }
    for (const one of pending) yield await one;
  } finally {
    for (const worker of workers) worker.end();
  }
}

class SurveyWorker {
  private readonly worker = new Worker(new URL("./survey_worker.ts", import.meta.url), { type: "module" });

  constructor(start: SurveyStart) {
    this.worker.postMessage(start);
  }

  ask(lot: Lot): Promise<SurveyAnswer> {
    return new Promise((resolve, reject) => {
      this.worker.onmessage = ({ data }) => resolve(data);
      this.worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(`Cannot survey ${lot.folder}: ${event.message}`));
      };
      this.worker.postMessage(lot);
    });
  }

  end(): void {
    this.worker.terminate();
  }
}
