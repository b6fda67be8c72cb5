/** Metrics that beats carry, and where the engine reads them. */

import type { Phase } from '../protocol/bodies.js';
import type { SegmentBuilder } from './segment.js';

/** Vitals of an agent, as a beat reports them. Times are in ms. */
export interface BeatVitals {
  readonly phase: Phase;
  /** Tasks begun and not ended. */
  readonly inFlight: number;
  /** Age of the task that has been quiet for longest: since it began, or took its last step. */
  readonly oldestInFlightMs: number | null;
  /** Time since a task last began or ended, or a step was taken; null: never. */
  readonly progressAgeMs: number | null;
  /** Length of the backlog. */
  readonly queue: number | null;
  /** Name of the current step, scrubbed and cut. */
  readonly step: string | null;
  /** Observations that could not be counted. */
  readonly lostObservations: number;
}

/** Source of the metrics that an engine sends; read once for each message. */
export interface MetricsSource {
  vitals(now: number): BeatVitals;

  /**
   * Moves work into an empty segment; returns whether there was any. What does not fit stays for
   * the next call. What was taken must never be returned again.
   */
  take(segment: SegmentBuilder): boolean;
}
