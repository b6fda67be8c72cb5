/**
 * Schedule of an emitter's messages: one an interval, earlier when something has changed, and with
 * exponential backoff while something important is unacknowledged.
 */

/**
 * Rate limit of messages sent before their interval is over, as a burst and as an average. It keeps
 * a collector that always asks again, or a replay of its datagrams, from setting the agent's rate.
 */
const EARLY_PER_S = 10;
const EARLY_PERIOD_MS = 1_000 / EARLY_PER_S;
const EARLY_BURST_MS = EARLY_PERIOD_MS * (EARLY_PER_S - 1);

export class SendSchedule {
  #nextDue: number;
  #lastSent: number;
  #retries = 0;
  /** Theoretical arrival time of the generic cell rate algorithm (ITU-T I.371). */
  #earlyUntil = -Infinity;

  /** Creates a schedule whose first message is due now; `random` gives 0 to 1 for the jitter. */
  constructor(
    private readonly intervalMs: number,
    private readonly random: () => number,
    now: number,
  ) {
    this.#nextDue = now;
    this.#lastSent = now;
  }

  get nextDue(): number {
    return this.#nextDue;
  }

  /** Makes the next message due as soon as the rate limit of early messages allows. */
  expedite(now: number): void {
    const earliest = Math.max(now, this.#earlyUntil - EARLY_BURST_MS);
    if (earliest < this.#nextDue) {
      this.#nextDue = earliest;
      this.#earlyUntil = Math.max(this.#earlyUntil, now) + EARLY_PERIOD_MS;
    }
  }

  /** Makes the next message due now, past the rate limit: for the few of a goodbye. */
  sendNow(now: number): void {
    this.#nextDue = Math.min(this.#nextDue, now);
    this.#retries = 0;
  }

  /** Restarts the backoff, and expedites the next message. */
  retryEarly(now: number): void {
    this.#retries = 0;
    this.expedite(now);
  }

  /** Returns to one message an interval, counted from the last one sent. */
  stopRetrying(): void {
    this.#retries = 0;
    this.#nextDue = this.#lastSent + this.#jitteredInterval();
  }

  /**
   * Schedules the message after one that was sent: an interval later, or earlier by a backoff that
   * begins with `firstRetryMs`.
   */
  onSent(now: number, firstRetryMs: number | null): void {
    let wait = this.#jitteredInterval();
    if (firstRetryMs !== null) {
      wait = Math.min(wait, firstRetryMs * 2 ** Math.min(this.#retries, 20));
      this.#retries += 1;
    }
    this.#lastSent = now;
    this.#nextDue = now + wait;
  }

  /** Draws the interval with a jitter of a tenth either way. */
  #jitteredInterval(): number {
    return this.intervalMs * (0.9 + 0.2 * this.random());
  }
}
