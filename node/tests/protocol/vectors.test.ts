/** Known answers in `protocol/vectors/`. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isAgentId, scopeCovers } from '../../src/protocol/agentId.js';
import {
  type Beat,
  type Identity,
  readAck,
  readPush,
  type Segment,
  writeBeat,
  writeGoodbye,
} from '../../src/protocol/bodies.js';
import { bucketOf, lowestOf, packHistogram } from '../../src/protocol/buckets.js';
import {
  type Header,
  MessageType,
  parseDatagram,
  Refused,
  sealDatagram,
  verifyDatagram,
} from '../../src/protocol/envelope.js';
import { deriveAgentKey, deriveScopeKey, Direction } from '../../src/protocol/keys.js';
import { BodyError, BodyWriter } from '../../src/protocol/msgpack.js';
import { DROPPED, REPLACED, scrub, scrubTo } from '../../src/protocol/text.js';
import { parseToken, TokenError } from '../../src/protocol/token.js';
import { toUint, type Uint } from '../../src/protocol/uint.js';
import { readUpward, unpackHistogram } from '../support/collectorBodies.js';
import { hex, vectors } from '../support/vectors.js';

const TYPE_NAMES: Record<number, string> = {
  1: 'beat',
  2: 'goodbye',
  3: 'exit_report',
  0x81: 'ack',
  0x82: 'push',
};

test('keys, ids, scopes and tokens', () => {
  const file = vectors<{
    ids: { valid: string[]; invalid: string[] };
    scopes: { scope: string; agent: string; covers: boolean }[];
    derived: {
      master: string;
      epoch: number;
      scope: string;
      scope_key: string;
      agent: string;
      up: string;
      down: string;
    }[];
    tokens: { token: string; epoch: number; scope: string; scope_key: string }[];
    refused_tokens: { token: string; reason: string; why: string }[];
  }>('keys');
  for (const id of file.ids.valid) assert.ok(isAgentId(id), id);
  for (const id of file.ids.invalid) assert.ok(!isAgentId(id), JSON.stringify(id));
  for (const it of file.scopes) assert.equal(scopeCovers(it.scope, it.agent), it.covers, it.scope);
  for (const it of file.derived) {
    const scopeKey = deriveScopeKey(hex(it.master), it.epoch, it.scope);
    assert.equal(scopeKey.toString('hex'), it.scope_key);
    assert.equal(deriveAgentKey(scopeKey, Direction.Up, it.agent).export().toString('hex'), it.up);
    assert.equal(
      deriveAgentKey(scopeKey, Direction.Down, it.agent).export().toString('hex'),
      it.down,
    );
  }
  for (const it of file.tokens) {
    const { epoch, scope, scopeKey } = parseToken(it.token);
    assert.deepEqual([epoch, scope, scopeKey.toString('hex')], [it.epoch, it.scope, it.scope_key]);
  }
  for (const it of file.refused_tokens) {
    assert.throws(
      () => parseToken(it.token),
      (error) => {
        return error instanceof TokenError && error.fault === it.reason;
      },
      it.why,
    );
  }
});

/** Numbers above 2^53 are decimal text in the vectors. */
function number(value: Uint): number | string {
  return value > 2 ** 53 ? value.toString() : Number(value);
}

/** Fields as the vectors have them. */
function plain(fields: Record<string, unknown>): Record<string, unknown> {
  const text = (value: unknown): unknown => (typeof value === 'string' ? scrub(value) : value);
  const plained: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (key === 'segment' && value !== null) {
      const segment = value as { latency: Buffer };
      plained[key] = {
        ...plain({ ...segment, latency: null }),
        latency: segment.latency.toString('hex'),
      };
    } else if ((key === 'process' || key === 'budget') && value !== null) {
      plained[key] = plain(value as Record<string, unknown>);
    } else if (key === 'identity' && value !== null) {
      const { labels, ...rest } = value as { labels: [string, string][] };
      const scrubbed = Object.entries(rest).map(([name, it]) => [name, text(it)]);
      plained[key] = {
        ...Object.fromEntries(scrubbed),
        labels: labels.map((pair) => pair.map(scrub)),
      };
    } else if (typeof value === 'number' || typeof value === 'bigint') {
      plained[key] = number(value);
    } else {
      plained[key] = text(value);
    }
  }
  return plained;
}

function readFields(type: number, body: Buffer): Record<string, unknown> {
  if (type < 0x80) return readUpward(type, body);
  if (type === 0x81) {
    const {
      durableSegment,
      desired,
      unconfirmed,
      wantsIdentity,
      sessionTaken,
      lifts,
      highestSequence,
      budget,
    } = readAck(body);
    return {
      durable_segment: durableSegment,
      ...desired,
      lifts,
      highest_sequence: highestSequence,
      unconfirmed,
      wants_identity: wantsIdentity,
      session_taken: sessionTaken,
      budget: budget && {
        unit: budget.unit,
        left: budget.left,
        counts_pending: budget.countsPending,
      },
    };
  }
  const { desired, lifts } = readPush(body);
  return { ...desired, lifts };
}

function uint(value: unknown): Uint {
  return toUint(BigInt(value as number | string));
}

function segmentOf(fields: Record<string, unknown> | null | undefined): Segment | null {
  if (fields === null || fields === undefined) return null;
  const counts = fields as Record<string, number>;
  return {
    number: Number(counts['number']),
    ok: Number(counts['ok']),
    failed: Number(counts['failed']),
    costNanoUsd: Number(counts['cost_nano_usd']),
    tokensIn: Number(counts['tokens_in']),
    tokensOut: Number(counts['tokens_out']),
    latency: hex(fields['latency'] as string),
  };
}

function identityOf(fields: Record<string, unknown> | null): Identity | null {
  if (fields === null) return null;
  const given = Object.entries(fields).filter(([, value]) => value !== null);
  return Object.fromEntries(given) as unknown as Identity;
}

/** Writes what an agent sends, from the fields of a vector. */
function writeFields(type: MessageType, fields: Record<string, unknown>): Buffer | null {
  const writer = new BodyWriter();
  const segment = segmentOf(fields['segment'] as Record<string, unknown> | null | undefined);
  const uptimeMs = uint(fields['uptime_ms'] ?? 0);
  if (type === MessageType.Goodbye) return writeGoodbye(writer, { uptimeMs, segment });
  // What only supervisors send is read here, and written by them.
  if (fields['process'] != null) return null;
  if (type !== MessageType.Beat) return null;
  const optional = (key: string) => (fields[key] === null ? null : uint(fields[key]));
  const beat: Beat = {
    intervalMs: fields['interval_ms'] as number,
    uptimeMs,
    phase: fields['phase'] as number,
    inFlight: fields['in_flight'] as number,
    oldestInFlightMs: optional('oldest_in_flight_ms'),
    progressAgeMs: optional('progress_age_ms'),
    queue: fields['queue'] as number | null,
    step: fields['step'] as string | null,
    applied: {
      control: fields['control'] as string | null,
      generation: uint(fields['generation']),
      killed: fields['killed'] as boolean,
    },
    blockedBy: fields['blocked_by'] as string | null,
    lostObservations: uint(fields['lost_observations']),
    segment,
    identity: identityOf(fields['identity'] as Record<string, unknown> | null),
    stallAfterMs: fields['stall_after_ms'] as number | null,
  };
  return writeBeat(writer, beat);
}

test('messages, read and written', () => {
  const { messages } = vectors<{
    messages: {
      name: string;
      datagram: string;
      agent_key: string;
      scope_key: string;
      canonical: boolean;
      fields: Record<string, unknown>;
      header: Record<string, unknown>;
    }[];
  }>('messages');
  let written = 0;
  for (const it of messages) {
    const direction = Number.parseInt(it.datagram.slice(8, 10), 16) >= 0x80 ? 'down' : 'up';
    const parsed = parseDatagram(hex(it.datagram), direction);
    const header: Header = parsed.claimed;
    const way = direction === 'up' ? Direction.Up : Direction.Down;
    const key = deriveAgentKey(hex(it.scope_key), way, header.agent);
    assert.equal(key.export().toString('hex'), it.agent_key, it.name);
    const body = verifyDatagram(parsed, key);
    const { type, epoch, scopeLength, agent, session, sequence, challenge } = header;
    assert.deepEqual(
      {
        type: TYPE_NAMES[type],
        epoch,
        scope: agent.slice(0, scopeLength),
        agent,
        session,
        sequence: number(sequence),
        challenge: challenge.toString('hex'),
      },
      it.header,
      it.name,
    );
    assert.deepEqual(plain(readFields(type, body)), it.fields, it.name);
    const again = it.canonical ? writeFields(type, it.fields) : null;
    if (again === null) continue;
    written += 1;
    assert.equal(sealDatagram(header, again, key)?.toString('hex'), it.datagram, it.name);
  }
  assert.ok(written >= 5, `${written} were written`);
});

test('datagrams that must be refused', () => {
  const file = vectors<{
    agent: { scope_key: string; agent: string };
    collector: {
      masters: { epoch: number; master: string }[];
      revoked_scopes: string[];
      revoked_agents: string[];
    };
    cases: { datagram: string; receiver: string; stage: string; reason: string; why: string }[];
  }>('refused');
  const down = deriveAgentKey(hex(file.agent.scope_key), Direction.Down, file.agent.agent);
  const receive = (datagram: Buffer, receiver: string): void => {
    const isAgent = receiver === 'agent';
    const parsed = parseDatagram(datagram, isAgent ? 'down' : 'up');
    const { type, epoch, agent, scopeLength } = parsed.claimed;
    let key = down;
    if (!isAgent) {
      const scope = agent.slice(0, scopeLength);
      const master = file.collector.masters.find((it) => it.epoch === epoch);
      if (master === undefined) throw new Refused('parse', 'BadTag', 'UnknownEpoch');
      const { revoked_agents: agents, revoked_scopes: scopes } = file.collector;
      if (agents.includes(agent) || scopes.includes(scope))
        throw new Refused('parse', 'BadTag', 'Revoked');
      key = deriveAgentKey(deriveScopeKey(hex(master.master), epoch, scope), Direction.Up, agent);
    }
    const body = verifyDatagram(parsed, key);
    try {
      readFields(type, body);
    } catch (error) {
      if (error instanceof BodyError) throw new Refused('decode', 'BadBody', error.fault);
      throw error;
    }
  };
  for (const it of file.cases) {
    let found = 'taken';
    try {
      receive(hex(it.datagram), it.receiver);
    } catch (error) {
      assert.ok(error instanceof Refused, `${it.why}: ${String(error)}`);
      const { step, fault, bodyFault } = error;
      const ofCollector = bodyFault === 'UnknownEpoch' || bodyFault === 'Revoked';
      found = ofCollector
        ? `key ${bodyFault}`
        : `${step} ${fault}${bodyFault === undefined ? '' : `/${bodyFault}`}`;
    }
    assert.equal(found, `${it.stage} ${it.reason}`, it.why);
  }
});

test('latency buckets and packed histograms', () => {
  const file = vectors<{
    latencies: { us: number | string; index: number; lowest: number }[];
    packed: { name: string; pairs: [number, number][]; packed: string }[];
    refused: { packed: string; reason: string; why: string }[];
  }>('buckets');
  for (const it of file.latencies) {
    const us = Math.min(Number(it.us), 86_400_000_000);
    assert.deepEqual([bucketOf(us), lowestOf(bucketOf(us))], [it.index, it.lowest], String(it.us));
  }
  for (const it of file.packed) {
    assert.equal(packHistogram(it.pairs).toString('hex'), it.packed, it.name);
    assert.deepEqual(unpackHistogram(hex(it.packed)), it.pairs, it.name);
  }
  for (const it of file.refused) {
    assert.throws(() => unpackHistogram(hex(it.packed)), { message: it.reason }, it.why);
  }
});

test('free text', () => {
  const file = vectors<{
    dropped: [string, string][];
    replaced: [string, string][];
    cases: { name: string; raw: string; scrubbed: string }[];
  }>('text');
  const codes = (ranges: [string, string][]) =>
    ranges.map((pair) => pair.map((it) => Number.parseInt(it, 16)));
  assert.deepEqual(DROPPED, codes(file.dropped));
  assert.deepEqual(REPLACED, codes(file.replaced));
  for (const it of file.cases) assert.equal(scrub(it.raw), it.scrubbed, it.name);
});

test('texts are cut at a character, after the scrubbing', () => {
  assert.equal(scrubTo('ä'.repeat(40), 64), 'ä'.repeat(32));
  assert.equal(scrubTo('🚂'.repeat(20), 63), '🚂'.repeat(15));
  assert.equal(Buffer.byteLength(scrubTo('\u0007'.repeat(64), 64)), 63);
  assert.equal(scrubTo('a\ud800b', 64), 'a\ufffdb');
  assert.equal(scrubTo(`${'\u200d'.repeat(1_000)}seen`, 64), 'seen');
  assert.equal(scrubTo('x'.repeat(10_000_000), 64), 'x'.repeat(64));
});
