/** Counters of the agent's work: nanoseconds to add to, and read by the sender's thread. */

import { bucketOf, LATENCY_MAX_US } from '../protocol/buckets.js';
import { Field, type SharedMemory } from './memory.js';

/** Beyond this a double can't count every one. */
const SUM_MAX = Number.MAX_SAFE_INTEGER;
/**
 * Microseconds in a millisecond, and two units in the last place: 1.001 ms is 1,001 µs although its
 * product with 1,000 is a little less.
 */
const US_PER_MS = 1_000 * (1 + 2 * Number.EPSILON);

/** Report of one finished piece of work. What is not given is not counted. */
export interface Report {
  /** Whether it succeeded; true if not given. */
  readonly success?: boolean | undefined;
  readonly latencyMs?: number | undefined;
  /** Cost in US dollars. */
  readonly costUsd?: number | undefined;
  /** Tokens that models have read. */
  readonly tokensIn?: number | undefined;
  /** Tokens that models have written. */
  readonly tokensOut?: number | undefined;
}

export class Counters {
  readonly #fields: Float64Array;

  constructor(memory: SharedMemory) {
    this.#fields = memory.fields;
  }

  /** Counts a report. An invalid value is ignored and counted as lost; the rest counts. */
  report(report: Report): void {
    const { success, latencyMs, costUsd, tokensIn, tokensOut } = report;
    this.outcome(success === undefined || Boolean(success));
    if (latencyMs !== undefined) this.latency(latencyMs);
    if (costUsd !== undefined) this.cost(costUsd);
    if (tokensIn !== undefined) this.#add(Field.TokensIn, tokensIn);
    if (tokensOut !== undefined) this.#add(Field.TokensOut, tokensOut);
  }

  outcome(success: boolean): void {
    (this.#fields[success ? Field.Ok : Field.Failed] as number) += 1;
  }

  latency(ms: number): void {
    if (typeof ms === 'number' && ms >= 0) {
      const us = Math.floor(Math.min(ms * US_PER_MS, LATENCY_MAX_US));
      (this.#fields[Field.Latency + bucketOf(us)] as number) += 1;
    } else {
      this.lose();
    }
  }

  /** Adds a cost in US dollars, rounded to the nearest billionth. */
  cost(usd: number): void {
    if (typeof usd === 'number') this.#add(Field.CostNanoUsd, Math.round(usd * 1e9));
    else this.lose();
  }

  tokens(tokensIn: number | undefined, tokensOut: number | undefined): void {
    if (tokensIn !== undefined) this.#add(Field.TokensIn, tokensIn);
    if (tokensOut !== undefined) this.#add(Field.TokensOut, tokensOut);
  }

  /** Counts an observation that could not be counted. */
  lose(): void {
    (this.#fields[Field.Lost] as number) += 1;
  }

  get lost(): number {
    return this.#fields[Field.Lost] as number;
  }

  #add(field: Field, count: number): void {
    const sum = (this.#fields[field] as number) + count;
    // False for NaN, for texts, for fractions and for what is negative or too large.
    if (count >= 0 && sum <= SUM_MAX && Number.isInteger(count)) this.#fields[field] = sum;
    else this.lose();
  }
}
