/**
 * Numbers for Prometheus, and whether all is well. The only file that names prom-client.
 *
 * @module
 */

import { Counter, Gauge, Registry } from "prom-client";
import type { Clock, Journal, Observer, Source } from "./ports.ts";

/** What a request gets. */
export interface Page {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** Counts what the watcher does, and says it. */
export interface Metrics {
  readonly observe: Observer;
  /** The page at a path: `/metrics`, `/healthz`. */
  page(path: string): Promise<Page>;
}

/** A source that was not heard of for so many of its sweeps is not well. */
const SILENT_SWEEPS = 3;

/** @param sweepSeconds The longest time between two looks at a mailbox */
export function createMetrics(
  journal: Journal,
  sources: readonly Source[],
  clock: Clock,
  sweepSeconds: number,
): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const steps = new Counter({
    name: "p2plint_steps_total",
    help: "Steps of the watcher",
    labelNames: ["step"],
    registers,
  });
  const taken = new Counter({
    name: "p2plint_mails_taken_total",
    help: "Mails by what intake made of them",
    labelNames: ["state"],
    registers,
  });
  const mails = new Gauge({
    name: "p2plint_mails",
    help: "Mails in the journal by state",
    labelNames: ["state"],
    registers,
  });
  const posts = new Gauge({
    name: "p2plint_posts",
    help: "Replies and reports in the journal by state",
    labelNames: ["state"],
    registers,
  });
  const verdicts = new Gauge({
    name: "p2plint_verdicts",
    help: "Findings by rule and verdict",
    labelNames: ["rule", "verdict"],
    registers,
  });
  const seen = new Gauge({
    name: "p2plint_source_seen_seconds",
    help: "When a mailbox last answered",
    labelNames: ["source"],
    registers,
  });
  const start = clock.now();

  const refresh = async () => {
    const counts = await journal.counts();
    mails.reset();
    posts.reset();
    for (const [state, count] of counts.mails) mails.set({ state }, count);
    for (const [state, count] of counts.posts) posts.set({ state }, count);
    for (const { rule, sent, falsePositive, wontfix, fixed } of await journal.scores()) {
      verdicts.set({ rule, verdict: "sent" }, sent);
      verdicts.set({ rule, verdict: "false-positive" }, falsePositive);
      verdicts.set({ rule, verdict: "wontfix" }, wontfix);
      verdicts.set({ rule, verdict: "fixed" }, fixed);
    }
    for (const source of sources) seen.set({ source: source.name }, source.lastSeen() / 1000);
  };

  const health = async (): Promise<Page> => {
    const problems = sources
      .filter((source) =>
        Math.max(start, source.lastSeen()) < clock.now() - SILENT_SWEEPS * sweepSeconds * 1000
      )
      .map(({ name }) => `${name} does not answer`);
    try {
      await journal.counts();
    } catch (error) {
      problems.push((error as Error).message);
    }
    const text = problems.length === 0 ? "ok\n" : problems.map((problem) => `${problem}\n`).join("");
    return { status: problems.length === 0 ? 200 : 503, type: "text/plain; charset=utf-8", text };
  };

  return {
    observe(step, fields) {
      steps.inc({ step });
      if (step === "taken") taken.inc({ state: String(fields["state"]) }, Number(fields["count"] ?? 1));
    },
    async page(path) {
      if (path === "/healthz") return await health();
      if (path !== "/metrics") return { status: 404, type: "text/plain", text: "/metrics or /healthz\n" };
      try {
        await refresh();
      } catch (error) {
        return { status: 503, type: "text/plain", text: `${(error as Error).message}\n` };
      }
      return { status: 200, type: registry.contentType, text: await registry.metrics() };
    },
  };
}
