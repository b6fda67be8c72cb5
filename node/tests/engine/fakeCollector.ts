/** A collector without sockets: it reads what an engine sends, and writes answers. */

import { AppliedStates } from '../../src/engine/appliedStates.js';
import { Engine, type EngineConfig } from '../../src/engine/engine.js';
import type { BeatVitals, MetricsSource } from '../../src/engine/metrics.js';
import type { SegmentBuilder } from '../../src/engine/segment.js';
import {
  type Header,
  MessageType,
  parseDatagram,
  sealDatagram,
  verifyDatagram,
} from '../../src/protocol/envelope.js';
import {
  type AgentKeys,
  deriveAgentKey,
  deriveScopeKey,
  Direction,
} from '../../src/protocol/keys.js';
import { BodyWriter } from '../../src/protocol/msgpack.js';
import { readUpward } from '../support/collectorBodies.js';

const SCOPE_KEY = deriveScopeKey(Buffer.alloc(32, 7), 1, '');
export const AGENT = 'mail';
export const KEYS: AgentKeys = {
  epoch: 1,
  scopeLength: 0,
  up: deriveAgentKey(SCOPE_KEY, Direction.Up, AGENT),
  down: deriveAgentKey(SCOPE_KEY, Direction.Down, AGENT),
};
export const CONTROL = '00000000000000aa';
export const OTHER_CONTROL = '00000000000000bb';

/** Metrics in plain fields. */
export class PlainMetrics implements MetricsSource {
  ok = 0;
  latency = new Map<number, number>();
  current: BeatVitals = {
    phase: 1,
    inFlight: 0,
    oldestInFlightMs: null,
    progressAgeMs: null,
    queue: null,
    step: null,
    lostObservations: 0,
  };

  vitals(): BeatVitals {
    return this.current;
  }

  take(segment: SegmentBuilder): boolean {
    segment.ok = this.ok;
    this.ok = 0;
    let any = segment.ok > 0;
    for (const [bucket, count] of [...this.latency].sort(([a], [b]) => a - b)) {
      if (!segment.pushLatency(bucket, count)) break;
      this.latency.delete(bucket);
      any = true;
    }
    return any;
  }
}

export interface Sent {
  readonly header: Header;
  readonly fields: Record<string, unknown>;
  readonly length: number;
}

export interface Answer {
  durable?: number;
  generation?: number;
  killed?: boolean;
  control?: string;
  flags?: number;
  lifts?: string;
  highest?: number;
  challenge?: number;
  budget?: readonly [unit: number, left: number];
}

export function engine(config: Partial<EngineConfig> = {}): Engine {
  const identity = { labels: [], depends: [], host: 'm3' };
  const applied = AppliedStates.none;
  const session = '0123456789abcdef';
  return new Engine(
    {
      agent: AGENT,
      keys: KEYS,
      session,
      intervalMs: 1_000,
      stallAfterMs: null,
      identity,
      applied,
      random: () => 0.5,
      ...config,
    },
    0,
  );
}

/** Takes all that is due. */
export function sendAll(from: Engine, metrics: PlainMetrics, now: number): Sent[] {
  const sent: Sent[] = [];
  for (;;) {
    const datagram = from.pollTransmit(now, metrics);
    if (datagram === null) return sent;
    const parsed = parseDatagram(datagram, 'up');
    const body = verifyDatagram(parsed, KEYS.up);
    sent.push({
      header: parsed.claimed,
      fields: readUpward(parsed.claimed.type, body),
      length: datagram.length,
    });
  }
}

export function ack(header: Header, answer: Answer = {}): Buffer {
  const {
    durable = 0,
    generation = 0,
    killed = false,
    control = CONTROL,
    flags = 0,
    lifts,
    highest = 0,
    challenge = 1,
    budget = [],
  } = answer;
  const writer = new BodyWriter();
  writer.begin();
  for (const value of [
    durable,
    generation,
    killed ? 1 : 0,
    Number.parseInt(control, 16),
    flags,
    Number.parseInt(lifts ?? '0', 16),
    highest,
    ...budget,
  ]) {
    writer.element().uint(value);
  }
  const head = { ...header, type: MessageType.Ack, challenge: Buffer.alloc(16, challenge) };
  return sealDatagram(head, writer.finish(), KEYS.down) as Buffer;
}

export function push(
  header: Header,
  generation: number,
  killed: boolean,
  control = CONTROL,
): Buffer {
  const writer = new BodyWriter();
  writer.begin();
  for (const value of [generation, killed ? 1 : 0, Number.parseInt(control, 16), 0])
    writer.element().uint(value);
  const head = { ...header, type: MessageType.Push, challenge: Buffer.alloc(16) };
  return sealDatagram(head, writer.finish(), KEYS.down) as Buffer;
}

/** Answers as a collector does to a new session; returns the last message, which is live. */
export function connect(to: Engine, metrics: PlainMetrics): Sent {
  const [first] = sendAll(to, metrics, 0) as [Sent];
  to.handleDatagram(ack(first.header, { flags: 1 }), 0);
  const [second] = sendAll(to, metrics, 0) as [Sent];
  to.handleDatagram(ack(second.header), 0);
  return second;
}
