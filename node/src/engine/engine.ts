/**
 * The protocol engine of an emitter: what to send, when, and what the answers mean. It has neither
 * sockets nor clocks. Its owner drives it, always in this order:
 *
 * 1. pass in received datagrams ({@link Engine.handleDatagram}), and store the desired states before
 *    the next step, if they changed: they must be on disk before a beat reports them;
 * 2. call {@link Engine.pollTransmit} until it returns null;
 * 3. wait until {@link Engine.nextTimeout}, or until a datagram is received.
 *
 * Times are in ms of one monotonic clock; the session id and the randomness of the jitter are
 * arguments. The sections named in comments are those of `SPEC.md`.
 */

import {
  type Ack,
  type ControlId,
  type Identity,
  Phase,
  type Push,
  readAck,
  readPush,
} from '../protocol/bodies.js';
import {
  CHALLENGE_LENGTH,
  type Header,
  MessageType,
  parseDatagram,
  Refused,
  verifyDatagram,
} from '../protocol/envelope.js';
import type { AgentKeys } from '../protocol/keys.js';
import { BodyError } from '../protocol/msgpack.js';
import type { AppliedStates } from './appliedStates.js';
import { MessageWriter } from './messageWriter.js';
import type { MetricsSource } from './metrics.js';
import { SendSchedule } from './schedule.js';
import { PendingSegment } from './segment.js';
import { amountOf, type SpendingLimit } from './spendingLimit.js';

/** Number of first beats that carry the identity, unless an answer confirms it earlier. */
const IDENTITY_BEATS = 3;
/** First retry of a beat while no answer was ever received. */
const RETRY_UNANSWERED_MS = 1_000;
/** First retry of a beat that was not live (section 5), or of a goodbye. */
const RETRY_UNCONFIRMED_MS = 100;
/** First retry of a beat with an urgent change: longer than a collector may take to commit work. */
const RETRY_CHANGE_MS = 400;

export interface EngineConfig {
  readonly agent: string;
  readonly keys: AgentKeys;
  /** 16 hexadecimal digits: random, and never used before. */
  readonly session: string;
  readonly intervalMs: number;
  /** Time without progress after which it counts as stalled; null: the collector's setting. */
  readonly stallAfterMs: number | null;
  readonly identity: Identity;
  /** Desired states restored from an earlier session. */
  readonly applied: AppliedStates;
  /** Gives 0 to 1 for the jitter, so that emitters started together beat apart. */
  readonly random: () => number;
}

/** State of a session as the newest answer shows it. */
export type Connection = 'unanswered' | 'unconfirmed' | 'confirmed';

interface Closing {
  deadline: number;
  /** Deadline of a session whose collector answers. */
  readonly deadlineIfAnswered: number;
  /** Sequence of the first goodbye that carries the segment now pending. */
  firstGoodbye: number | null;
  /** That goodbye was acknowledged, and its segment is durable. */
  acked: boolean;
}

export class Engine {
  readonly #agent: string;
  readonly #intervalMs: number;
  readonly #stallAfterMs: number | null;
  readonly #identity: Identity;
  readonly #started: number;
  readonly #writer: MessageWriter;
  readonly #schedule: SendSchedule;
  readonly #segment = new PendingSegment();
  #session: string;
  #identityBeats = IDENTITY_BEATS;
  #lastSent = 0;
  #highestAcked = 0;
  #highestLive = 0;
  #challenge: Buffer = Buffer.alloc(CHALLENGE_LENGTH);
  #connection: Connection = 'unanswered';
  #wasConfirmed = false;
  #control: ControlId | null = null;
  #applied: AppliedStates;
  /** First sequence that carries an urgent change, while none from there on is acknowledged. */
  #unackedChange: number | null = null;
  #shutdown: 'open' | Closing | 'closed' = 'open';
  /** Control ids of the other collectors that the emitter hears: those lift their kills themselves. */
  otherControls: readonly ControlId[] = [];
  /** Limit of the tightest budget, while there is one. */
  spendingLimit: SpendingLimit | null = null;
  lastAnswer: number | null = null;
  /** When the first message after the last answer was sent. */
  unansweredSince: number | null = null;
  /** Another process speaks in this session; nothing is heard until {@link beginSession}. */
  isSessionTaken = false;

  /** Starts a session; its first beat is due now. */
  constructor(config: EngineConfig, now: number) {
    this.#agent = config.agent;
    this.#session = config.session;
    this.#intervalMs = config.intervalMs;
    this.#stallAfterMs = config.stallAfterMs;
    this.#identity = config.identity;
    this.#applied = config.applied;
    this.#started = now;
    this.#writer = new MessageWriter(config.keys);
    this.#schedule = new SendSchedule(config.intervalMs, config.random, now);
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** Control id of the collector, once it was received. */
  get control(): ControlId | null {
    return this.#control;
  }

  get applied(): AppliedStates {
    return this.#applied;
  }

  /** When {@link pollTransmit} next has something to do; null once closed. */
  get nextTimeout(): number | null {
    if (this.#shutdown === 'open') return this.#schedule.nextDue;
    if (this.#shutdown === 'closed') return null;
    return Math.min(this.#schedule.nextDue, this.#shutdown.deadline);
  }

  /** Makes the next beat due at once, and repeats it soon while unacknowledged. */
  notifyChange(now: number): void {
    if (this.#shutdown !== 'open') return;
    this.#unackedChange = this.#lastSent + 1;
    this.#schedule.retryEarly(now);
  }

  /** Replaces the desired states, after the engine of another collector has applied one. */
  setApplied(applied: AppliedStates, now: number): void {
    if (applied === this.#applied) return;
    this.#applied = applied;
    this.notifyChange(now);
  }

  /** Replaces the keys, after the token was replaced. */
  rekey(keys: AgentKeys): void {
    this.#writer.keys = keys;
  }

  /**
   * Begins to end the session: goodbyes carry the remaining work until it is durable or the timeout
   * is over: `unansweredMs` while the collector has never answered. After that {@link nextTimeout}
   * is null.
   */
  close(now: number, timeoutMs: number, unansweredMs: number): void {
    if (this.#shutdown !== 'open') return;
    const deadlineIfAnswered = now + timeoutMs;
    const deadline = this.#connection === 'unanswered' ? now + unansweredMs : deadlineIfAnswered;
    this.#shutdown = { deadline, deadlineIfAnswered, firstGoodbye: null, acked: false };
    this.#schedule.sendNow(now);
  }

  /** Goes on in a session of its own, whose id was drawn anew (section 5). */
  beginSession(session: string, now: number): void {
    this.#segment.beginSession(this.#highestLive);
    this.#session = session;
    this.isSessionTaken = false;
    this.#identityBeats = IDENTITY_BEATS;
    this.#lastSent = 0;
    this.#highestAcked = 0;
    this.#highestLive = 0;
    this.#challenge = Buffer.alloc(CHALLENGE_LENGTH);
    this.#connection = 'unanswered';
    this.#wasConfirmed = false;
    this.#unackedChange = null;
    if (typeof this.#shutdown === 'object') {
      this.#shutdown.firstGoodbye = null;
      this.#shutdown.acked = false;
    }
    this.#schedule.retryEarly(now);
  }

  /**
   * Handles a received datagram. Returns whether the applied states changed: they must be stored
   * before anything more is sent. Throws {@link Refused} when it is not from this agent's
   * collector; nothing has changed then.
   */
  handleDatagram(bytes: Buffer, now: number): boolean {
    const parsed = parseDatagram(bytes, 'down');
    if (parsed.claimed.agent !== this.#agent) throw new Refused('parse', 'BadAgent');
    const body = verifyDatagram(parsed, this.#writer.keys.down);
    const { claimed: header } = parsed;
    try {
      if (header.type === MessageType.Ack) {
        const ack = readAck(body);
        return header.session === this.#session && this.#onAck(header, ack, now);
      }
      const push = readPush(body);
      return header.session === this.#session && this.#onPush(push, now);
    } catch (error) {
      if (error instanceof BodyError) throw new Refused('decode', 'BadBody', error.fault);
      throw error;
    }
  }

  /** Returns the datagram that is due, if one is. */
  pollTransmit(now: number, metrics: MetricsSource): Buffer | null {
    if (this.#shutdown === 'closed') return null;
    const closing = this.#shutdown === 'open' ? null : this.#shutdown;
    if (closing !== null && now >= closing.deadline) {
      this.#shutdown = 'closed';
      return null;
    }
    if (now < this.#schedule.nextDue) return null;
    const isPending = this.#segment.fill(metrics);
    if (closing?.acked === true && !isPending) {
      this.#shutdown = 'closed';
      return null;
    }
    let datagram: Buffer | null;
    if (closing !== null && this.#wasConfirmed) {
      closing.firstGoodbye ??= this.#lastSent + 1;
      closing.acked = false;
      datagram = this.#goodbye(now);
    } else {
      // A session that was never live is introduced by a beat, even if it is about to end.
      datagram = this.#beat(now, metrics);
    }
    this.#lastSent += 1;
    this.unansweredSince ??= now;
    this.#schedule.onSent(now, this.#firstRetryMs());
    return datagram;
  }

  /** Returns the first backoff of the next message, if it is not to wait for its interval. */
  #firstRetryMs(): number | null {
    if (this.#shutdown !== 'open' || this.#connection === 'unconfirmed')
      return RETRY_UNCONFIRMED_MS;
    if (this.#connection === 'unanswered') return RETRY_UNANSWERED_MS;
    return this.#unackedChange === null ? null : RETRY_CHANGE_MS;
  }

  #beat(now: number, metrics: MetricsSource): Buffer | null {
    const withIdentity = this.#identityBeats > 0;
    this.#identityBeats = Math.max(0, this.#identityBeats - 1);
    const vitals = metrics.vitals(now);
    const written = this.#writer.beat(this.#head(), {
      intervalMs: this.#intervalMs,
      uptimeMs: wholeMs(now - this.#started),
      phase: this.#shutdown === 'open' ? vitals.phase : Phase.Stopping,
      inFlight: vitals.inFlight,
      oldestInFlightMs: vitals.oldestInFlightMs === null ? null : wholeMs(vitals.oldestInFlightMs),
      progressAgeMs: vitals.progressAgeMs === null ? null : wholeMs(vitals.progressAgeMs),
      queue: vitals.queue,
      step: vitals.step,
      applied: this.#applied.of(this.#control),
      blockedBy: this.#applied.blockedBy(this.#control),
      lostObservations: vitals.lostObservations,
      segment: this.#segment.segment,
      identity: withIdentity ? this.#identity : null,
      stallAfterMs: this.#stallAfterMs,
    });
    if (written?.hasSegment === true) this.#segment.carriedBy(this.#lastSent + 1);
    return written?.datagram ?? null;
  }

  #goodbye(now: number): Buffer | null {
    const { segment } = this.#segment;
    if (segment !== null) this.#segment.carriedBy(this.#lastSent + 1);
    return this.#writer.goodbye(this.#head(), { uptimeMs: wholeMs(now - this.#started), segment });
  }

  #head() {
    const sequence = this.#lastSent + 1;
    return { agent: this.#agent, session: this.#session, sequence, challenge: this.#challenge };
  }

  #onPush(push: Push, now: number): boolean {
    const known = this.#applied.of(push.desired.control);
    const isRepeated =
      known.generation === push.desired.generation && known.killed === push.desired.killed;
    // The beat that reported this state was lost.
    if (isRepeated && this.#unackedChange !== null) this.#schedule.expedite(now);
    return this.#apply(push, now);
  }

  #onAck(header: Header, ack: Ack, now: number): boolean {
    if (header.sequence > this.#lastSent) return false;
    const sequence = Number(header.sequence);
    this.lastAnswer = now;
    this.unansweredSince = null;
    if (typeof this.#shutdown === 'object') {
      this.#shutdown.deadline = this.#shutdown.deadlineIfAnswered;
    }
    if (ack.sessionTaken || ack.highestSequence > this.#lastSent) {
      // Another process has this session: it is of no more use to this one.
      this.isSessionTaken = true;
      return this.#apply(ack, now);
    }
    if (!ack.unconfirmed) this.#highestLive = Math.max(this.#highestLive, sequence);
    this.#segment.acknowledge(ack.durableSegment);
    const hasChanged = this.#apply(ack, now);
    // A late or replayed ack must not bring back an older challenge, nor the control id of before.
    if (sequence >= this.#highestAcked) {
      this.#highestAcked = sequence;
      this.#control = ack.desired.control ?? this.#control;
      if (ack.unconfirmed) this.#onUnconfirmed(header, ack, now);
      else this.#onConfirmed(header, ack, now);
    }
    return hasChanged;
  }

  #onUnconfirmed(header: Header, ack: Ack, now: number): void {
    const before = this.#connection;
    this.#connection = 'unconfirmed';
    if (ack.wantsIdentity) this.#identityBeats = 1;
    if (this.#challenge.equals(header.challenge)) return;
    this.#challenge = header.challenge;
    // A second unconfirmed answer in a row waits for the retry already scheduled.
    if (before !== 'unconfirmed') this.#schedule.retryEarly(now);
  }

  #onConfirmed(header: Header, ack: Ack, now: number): void {
    this.#challenge = header.challenge;
    this.#wasConfirmed = true;
    this.#identityBeats = ack.wantsIdentity ? 1 : 0;
    const wasRetrying = this.#firstRetryMs() !== null;
    this.#connection = 'confirmed';
    this.#adoptBudget(ack);
    if (this.#unackedChange !== null && header.sequence >= this.#unackedChange) {
      this.#unackedChange = null;
    }
    if (this.#shutdown === 'closed') return;
    if (this.#shutdown === 'open') {
      if (wasRetrying && this.#firstRetryMs() === null) this.#schedule.stopRetrying();
      return;
    }
    const { firstGoodbye } = this.#shutdown;
    if (firstGoodbye === null) {
      // The session is confirmed, so the goodbye may follow.
      this.#schedule.sendNow(now);
    } else if (header.sequence >= firstGoodbye && this.#segment.segment === null) {
      this.#shutdown.firstGoodbye = null;
      this.#shutdown.acked = true;
      this.#schedule.sendNow(now);
    }
  }

  /** Adopts what is left of the budget (section 12.1, rule 2). */
  #adoptBudget({ budget, durableSegment }: Ack): void {
    if (budget === null) {
      this.spendingLimit = null;
      return;
    }
    const { unit, left, countsPending } = budget;
    const taken = this.#segment.takenUpTo(BigInt(durableSegment) + (countsPending ? 1n : 0n));
    if (taken === null) return;
    this.spendingLimit = { unit, total: amountOf(unit, taken) + Number(left) };
  }

  /** Applies a desired state if it is newer; returns whether it was. */
  #apply({ desired, lifts }: Ack | Push, now: number): boolean {
    const lifted = lifts !== null && this.otherControls.includes(lifts) ? null : lifts;
    const applied = this.#applied.apply(desired, lifted);
    if (applied === null) return false;
    this.#applied = applied;
    this.notifyChange(now);
    return true;
  }
}

function wholeMs(ms: number): number {
  return Math.max(0, Math.floor(ms));
}
