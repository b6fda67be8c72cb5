/** Status of the emitter. */

import type { Connection } from './engine/engine.js';
import type { KillCause } from './killGate.js';
import type { Problem } from './problem.js';

/** Status of the session with one collector. */
export interface CollectorStatus {
  /** `host:port` of the collector. */
  readonly collector: string;
  /** `unanswered`, `unconfirmed` (it answers, and takes no beat as live yet) or `confirmed`. */
  readonly connection: Connection;
  /** Time since its last answer; null: it never answered. */
  readonly lastAnswerAgeMs: number | null;
  /** Datagrams received that were not from this agent's collector. */
  readonly refusedDatagrams: number;
}

export interface StatusFields {
  /** Id of the agent; that of a replica ends in its number. */
  readonly agent: string;
  /** No new task starts, for the cause that follows. */
  readonly killed: boolean;
  /** Why no new task starts: killed through any of its collectors, or a budget that is used up. */
  readonly killCause: KillCause | null;
  /** Status of the session with each collector; empty while nothing is sent at all. */
  readonly collectors: readonly CollectorStatus[];
  /** Tasks begun and not ended. */
  readonly inFlight: number;
  /** Observations that could not be counted. */
  readonly lostObservations: number;
  /** Delay of the event loop at the last beat; null: not measured yet. */
  readonly loopDelayMs: number | null;
  /** Why the last task failed that has failed. */
  readonly lastFailure: string | null;
  /** Problems that were found and not solved yet. */
  readonly problems: readonly Problem[];
}

const CONNECTION_TEXTS: Readonly<Record<Connection, string>> = {
  unanswered: 'no answer yet',
  unconfirmed: 'connecting',
  confirmed: 'live',
};

const KILL_TEXTS: Readonly<Record<KillCause, string>> = {
  command: ', killed',
  budget: ', stopped: its budget is used up',
};

export interface Status extends StatusFields {}

/** Status of an emitter. As text it is one line: `live`, or what is wrong. */
export class Status {
  constructor(fields: StatusFields) {
    Object.assign(this, fields);
  }

  /** Whether each collector takes the beats as live and there is no problem. */
  get isHealthy(): boolean {
    return (
      this.collectors.length > 0 &&
      this.collectors.every(({ connection }) => connection === 'confirmed') &&
      this.problems.length === 0
    );
  }

  toString(): string {
    const texts = this.collectors.map(({ collector, connection }) => {
      const text = CONNECTION_TEXTS[connection];
      return this.collectors.length === 1 ? text : `${collector}: ${text}`;
    });
    const killed = this.killCause === null ? '' : KILL_TEXTS[this.killCause];
    const problems = this.problems.map(({ message }) => `; ${message}`);
    return `${texts.length === 0 ? 'off' : texts.join(', ')}${killed}${problems.join('')}`;
  }
}
