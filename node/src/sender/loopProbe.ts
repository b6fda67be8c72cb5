/**
 * Probe of the agent's event loop. The sender's thread goes on beating while the loop is blocked;
 * so it asks the loop for a sign of life now and then, and a loop that gives none is stuck.
 */

import { Flag, type SharedMemory } from '../shared/memory.js';

/** Time without an answer after which the loop counts as blocked. */
const BLOCKED_AFTER_MS = 1_000;
/** Time between two pings. */
const PERIOD_MS = 1_000;

/** What a probe needs of its owner. */
export interface LoopEvents {
  /** Asks the loop for an answer. */
  ping(number: number, sentAt: number): void;
  /** The loop was found blocked. */
  blocked(): void;
}

export class LoopProbe {
  readonly #flags: Int32Array;
  #number = 0;
  #sentAt = 0;
  #wasBlocked = false;

  constructor(
    memory: SharedMemory,
    private readonly events: LoopEvents,
  ) {
    this.#flags = memory.flags;
  }

  /** Sends a ping every so often, while it was answered; tells once when it was not. */
  start(now: () => number): NodeJS.Timeout {
    return setInterval(() => this.#turn(now()), PERIOD_MS);
  }

  #turn(now: number): void {
    if (this.#isAnswered) {
      this.#wasBlocked = false;
      this.#number = (this.#number + 1) | 0;
      this.#sentAt = now;
      this.events.ping(this.#number, now);
    } else if (this.blockedSince(now) !== null && !this.#wasBlocked) {
      this.#wasBlocked = true;
      this.events.blocked();
    }
  }

  /** Begins the measurement anew, after this thread has not run itself, as in a stopped process. */
  restart(now: number): void {
    this.#sentAt = now;
  }

  /** Returns since when the loop has been blocked; null if it is not. */
  blockedSince(now: number): number | null {
    if (this.#isAnswered || now - this.#sentAt < BLOCKED_AFTER_MS) return null;
    // A thread that waits for its resume does what it was told.
    if (Atomics.load(this.#flags, Flag.BlocksForResume) === 1) return null;
    return this.#sentAt;
  }

  get #isAnswered(): boolean {
    return Atomics.load(this.#flags, Flag.Pong) === this.#number;
  }
}
