/** Detection of missing answers. */

import type { Engine } from '../engine/engine.js';
import { type Problem, problem } from '../problem.js';

/** Intervals without an answer after which there is a problem. */
const INTERVALS = 3;

export type Alarm =
  | 'none'
  /** The timeout is over for the first time. */
  | 'first'
  /** It is over once more. */
  | 'again';

/** Detects that the collector does not answer, or that no answer confirms the session. */
export class AnswerWatchdog {
  readonly #timeoutMs: number;
  /** Since when there are no keys to begin a session with. */
  #keylessSince: number | null = null;
  /** Since when answers come of which none confirms the session. */
  #unconfirmedSince: number | null = null;
  #lastAlarm: number | null = null;
  /** When the first message was sent that was not answered, while that is a problem. */
  unansweredSince: number | null = null;
  neverConfirmed: Problem | null = null;

  constructor(
    intervalMs: number,
    private readonly collector: string,
  ) {
    this.#timeoutMs = INTERVALS * intervalMs;
  }

  check(engine: Engine | null, now: number): Alarm {
    const isOverdue = (since: number | null): boolean =>
      since !== null && now - since >= this.#timeoutMs;
    // Without keys nothing was sent: that is a problem of the token.
    this.#keylessSince = sinceWhen(this.#keylessSince, engine === null, now);
    const silentSince = engine?.unansweredSince ?? null;
    this.unansweredSince = isOverdue(silentSince) ? silentSince : null;
    // While nothing is heard there is nothing that could confirm.
    const isUnconfirmed = engine?.connection === 'unconfirmed' && this.unansweredSince === null;
    this.#unconfirmedSince = sinceWhen(this.#unconfirmedSince, isUnconfirmed, now);
    this.neverConfirmed = isOverdue(this.#unconfirmedSince) ? this.#unconfirmed() : null;
    const hasProblem = this.unansweredSince !== null || this.neverConfirmed !== null;
    if (!hasProblem && !isOverdue(this.#keylessSince)) {
      this.#lastAlarm = null;
      return 'none';
    }
    if (this.#lastAlarm !== null && now - this.#lastAlarm < this.#timeoutMs) return 'none';
    const isFirst = this.#lastAlarm === null;
    this.#lastAlarm = now;
    return isFirst ? 'first' : 'again';
  }

  #unconfirmed(): Problem {
    const message =
      `${this.collector} answers, but takes none of our beats as live: ` +
      'is another machine replaying, or answering, in its place?';
    return problem('NeverConfirmed', message);
  }
}

/** Returns the problem of a collector that does not answer. */
export function unansweredProblem(collector: string, silentMs: number): Problem {
  const message =
    `no answer from ${collector} for ${Math.floor(silentMs / 1_000)} s: is heartlined running ` +
    'there, does UDP get through, is the token still valid?';
  return problem('Unanswered', message);
}

/** Returns since when a condition holds, given whether it holds now. */
function sinceWhen(before: number | null, holds: boolean, now: number): number | null {
  return holds ? (before ?? now) : null;
}
