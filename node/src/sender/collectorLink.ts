/** Link to one collector: a session, a socket, and what was sent of the counters. */

import { randomBytes } from 'node:crypto';

import type { AppliedStates } from '../engine/appliedStates.js';
import { Engine, type EngineConfig } from '../engine/engine.js';
import type { SpendingLimit } from '../engine/spendingLimit.js';
import type { ControlId } from '../protocol/bodies.js';
import { Refused, SESSION_LENGTH } from '../protocol/envelope.js';
import type { AgentKeys } from '../protocol/keys.js';
import type { LinkStatus } from '../shared/messages.js';
import { type Alarm, AnswerWatchdog } from './answerWatchdog.js';
import { CollectorSocket } from './collectorSocket.js';
import type { SharedMetrics } from './sharedMetrics.js';

/** Longest goodbye to a collector that has answered before, and to one that never has. */
const GOODBYE_TIMEOUT_MS = 1_000;
const GOODBYE_TIMEOUT_UNANSWERED_MS = 250;

/** What a link tells its owner. */
export interface LinkEvents {
  now(): number;
  /** A datagram was received; `changed` says whether it has changed the desired states. */
  received(link: CollectorLink, changed: boolean): void;
}

export class CollectorLink {
  readonly #socket: CollectorSocket;
  readonly #watchdog: AnswerWatchdog;
  /** null until there is a token. */
  #engine: Engine | null = null;
  #startedAt = 0;
  /** Datagrams received that were not from this agent's collector. */
  refused = 0;

  constructor(
    readonly collector: string,
    intervalMs: number,
    private readonly metrics: SharedMetrics,
    private readonly events: LinkEvents,
  ) {
    this.#socket = new CollectorSocket(collector, (datagram) => this.#receive(datagram));
    this.#watchdog = new AnswerWatchdog(intervalMs, collector);
  }

  startSession(config: Omit<EngineConfig, 'session'>): void {
    this.#startedAt = this.events.now();
    this.#engine = new Engine({ ...config, session: drawSession() }, this.#startedAt);
  }

  rekey(keys: AgentKeys): void {
    this.#engine?.rekey(keys);
  }

  get applied(): AppliedStates | null {
    return this.#engine?.applied ?? null;
  }

  get control(): ControlId | null {
    return this.#engine?.control ?? null;
  }

  /** Limit of the tightest budget, while there is one. */
  get spendingLimit(): SpendingLimit | null {
    return this.#engine?.spendingLimit ?? null;
  }

  get lastAnswer(): number | null {
    return this.#engine?.lastAnswer ?? null;
  }

  /** When there is next something to send; null without a session, or after its end. */
  get nextTimeout(): number | null {
    return this.#engine?.nextTimeout ?? null;
  }

  /** Keeps this collector from lifting the kills of others that are heard. */
  setOtherControls(controls: readonly ControlId[]): void {
    if (this.#engine !== null) {
      this.#engine.otherControls = controls.filter((control) => control !== this.control);
    }
  }

  /** Takes over what another collector has changed. */
  setApplied(applied: AppliedStates, now: number): void {
    this.#engine?.setApplied(applied, now);
  }

  /** Makes the next beat due at once. */
  notifyChange(now: number): void {
    this.#engine?.notifyChange(now);
  }

  /** Begins to say goodbye, if that has not begun. */
  close(now: number): void {
    // A collector that was just asked may be about to answer, unless nothing listens there.
    const sinceStart = now - this.#startedAt;
    const isRefused = this.#socket.problem !== null;
    const unansweredMs = isRefused ? 0 : GOODBYE_TIMEOUT_MS - sinceStart;
    this.#engine?.close(
      now,
      GOODBYE_TIMEOUT_MS,
      Math.max(unansweredMs, GOODBYE_TIMEOUT_UNANSWERED_MS),
    );
  }

  closeSocket(): void {
    this.#socket.close();
  }

  /** Sends what is due; returns whether anything was. */
  transmit(now: number): boolean {
    let hasSent = false;
    for (;;) {
      const datagram = this.#engine?.pollTransmit(now, this.metrics) ?? null;
      if (datagram === null) return hasSent;
      this.#socket.send(datagram);
      hasSent = true;
    }
  }

  /** Checks for missing answers. Where they are missing for long, tries another address. */
  checkAnswers(now: number): Alarm {
    const alarm = this.#watchdog.check(this.#engine, now);
    if (alarm !== 'none') this.#socket.reopen();
    return alarm;
  }

  get status(): LinkStatus {
    const problems = [this.#watchdog.neverConfirmed, this.#socket.problem];
    return {
      collector: this.collector,
      connection: this.#engine?.connection ?? null,
      unansweredSince: this.#watchdog.unansweredSince,
      problems: problems.filter((it) => it !== null),
    };
  }

  #receive(datagram: Buffer): void {
    const engine = this.#engine;
    if (engine === null) return;
    const now = this.events.now();
    let changed = false;
    try {
      changed = engine.handleDatagram(datagram, now);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.refused += 1;
    }
    if (engine.isSessionTaken) engine.beginSession(drawSession(), now);
    this.events.received(this, changed);
  }
}

function drawSession(): string {
  return randomBytes(SESSION_LENGTH).toString('hex');
}
