/** Segments of work: numbered, sent until durable, counted once (`SPEC.md`, section 9). */

import type { Segment } from '../protocol/bodies.js';
import { BUCKETS, packedLength, packHistogram } from '../protocol/buckets.js';
import { COUNT_MAX } from '../protocol/limits.js';
import type { Uint } from '../protocol/uint.js';
import type { MetricsSource } from './metrics.js';
import { combine, NO_WORK, type WorkSums } from './spendingLimit.js';

/**
 * Longest packed histogram of one segment, in bytes: a beat always has room for it beside its
 * longest step, its largest numbers and the longest agent id.
 */
const LATENCY_MAX = 800;

/** Sums of one segment, built up before it is sent. */
export class SegmentBuilder {
  ok = 0;
  failed = 0;
  costNanoUsd = 0;
  tokensIn = 0;
  tokensOut = 0;
  readonly #pairs: [number, number][] = [];
  #length = 0;
  #observations = 0;
  #lastBucket = 0;

  /**
   * Adds `count` latencies of one bucket; returns false, and adds none, if the segment is full, the
   * buckets do not ascend, the count is zero, or the counts would be too large together.
   */
  pushLatency(bucket: number, count: number): boolean {
    const ascends = bucket > this.#lastBucket || this.#pairs.length === 0;
    if (!ascends || bucket >= BUCKETS || count <= 0) return false;
    if (count > COUNT_MAX - this.#observations) return false;
    const length = packedLength(bucket - this.#lastBucket, count);
    if (this.#length + length > LATENCY_MAX) return false;
    this.#pairs.push([bucket, count]);
    this.#length += length;
    this.#observations += count;
    this.#lastBucket = bucket;
    return true;
  }

  /** Returns the segment under a number. */
  freeze(number: number): Segment {
    const { ok, failed, costNanoUsd, tokensIn, tokensOut } = this;
    const latency = packHistogram(this.#pairs);
    return { number, ok, failed, costNanoUsd, tokensIn, tokensOut, latency };
  }
}

/**
 * The one segment that may be in flight: its numbers stay as they are until the collector has it on
 * disk, so an ack that is lost, late or duplicated changes no sum.
 */
export class PendingSegment {
  #lastNumber = 0;
  #pending: Segment | null = null;
  /** All work that was taken so far, the pending segment's included. It goes on in new sessions. */
  #taken: WorkSums = NO_WORK;
  /** Sequence of the first message that carried the pending one; none has while it is infinite. */
  #firstSequence = Infinity;

  /** Returns the pending segment as a message carries it. */
  get segment(): Segment | null {
    return this.#pending;
  }

  /** Takes open work under the next number if none is pending; returns whether one is now. */
  fill(metrics: MetricsSource): boolean {
    if (this.#pending === null) {
      const builder = new SegmentBuilder();
      if (metrics.take(builder)) {
        this.#lastNumber += 1;
        this.#firstSequence = Infinity;
        this.#pending = builder.freeze(this.#lastNumber);
        this.#taken = combine(this.#taken, this.#pending, 1);
      }
    }
    return this.#pending !== null;
  }

  /** Records that the message of `sequence` carries the pending segment. */
  carriedBy(sequence: number): void {
    this.#firstSequence = Math.min(this.#firstSequence, sequence);
  }

  /** Drops the pending segment if the collector has all up to `durable` on disk. */
  acknowledge(durable: Uint): void {
    if (durable >= this.#lastNumber) this.#pending = null;
  }

  /** Returns all work that was taken up to the end of a segment; null where more is durable. */
  takenUpTo(number: bigint): WorkSums | null {
    if (this.#pending !== null && number === BigInt(this.#lastNumber - 1)) {
      return combine(this.#taken, this.#pending, -1);
    }
    return number >= this.#lastNumber ? this.#taken : null;
  }

  /**
   * Begins the numbers of a new session, after another process was found to have this one too. The
   * pending segment goes along, unless a live message has brought it: the highest of those that
   * were acknowledged is `liveSequence`.
   */
  beginSession(liveSequence: number): void {
    if (this.#firstSequence <= liveSequence) this.#pending = null;
    this.#lastNumber = this.#pending === null ? 0 : 1;
    if (this.#pending !== null) this.#pending = { ...this.#pending, number: 1 };
    this.#firstSequence = Infinity;
  }
}
