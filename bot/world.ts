/**
 * What the watcher works with: its ports, and what it judges by.
 *
 * @module
 */

import type { Prefilter } from "../rules/engine/prefilter.ts";
import type { Reviewer } from "../rules/tree/review.ts";
import type { Clock, Journal, Log, Observer, Sink, Source } from "./ports.ts";

/** Everything outside. */
export interface World {
  readonly sources: readonly Source[];
  readonly sinks: readonly Sink[];
  readonly journal: Journal;
  readonly clock: Clock;
  readonly reviewer: Reviewer;
  readonly prefilter: Prefilter;
  readonly log: Log;
  readonly observe: Observer;
  readonly toolVersion: string;
}

/** The journal works again or it does not: a full disk is looked at as often. */
export const JOURNAL_RETRY_MS = 5000;
