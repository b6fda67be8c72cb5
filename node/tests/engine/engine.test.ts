/** Rules of the protocol engine, one by one; the sections are those of SPEC.md. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AppliedStates } from '../../src/engine/appliedStates.js';
import { fitIdentity } from '../../src/engine/identity.js';
import { SendSchedule } from '../../src/engine/schedule.js';
import { MessageType, Refused } from '../../src/protocol/envelope.js';
import { unpackHistogram } from '../support/collectorBodies.js';
import {
  ack,
  connect,
  CONTROL,
  engine,
  OTHER_CONTROL,
  PlainMetrics,
  push,
  type Sent,
  sendAll,
} from './fakeCollector.js';

const challengeOf = ({ header }: Sent): number => header.challenge[0] as number;

test('5: a new session is live after two round trips, and its identity rides on the first beats', () => {
  const [it, metrics] = [engine(), new PlainMetrics()];
  const [first] = sendAll(it, metrics, 0) as [Sent];
  assert.equal(first.header.sequence, 1);
  assert.equal(challengeOf(first), 0);
  assert.ok(first.fields['identity'] !== null);
  assert.equal(it.connection, 'unanswered');
  it.handleDatagram(ack(first.header, { flags: 1, challenge: 9 }), 5);
  const [second] = sendAll(it, metrics, 5) as [Sent];
  assert.deepEqual(
    [second.header.sequence, challengeOf(second), second.fields['control']],
    [2, 9, CONTROL],
  );
  it.handleDatagram(ack(second.header, { challenge: 9 }), 6);
  assert.equal(it.connection, 'confirmed');
  assert.deepEqual(sendAll(it, metrics, 6), []);
  assert.equal(it.nextTimeout, 1_005);
  const [third] = sendAll(it, metrics, 1_005) as [Sent];
  assert.equal(third.fields['identity'], null);
  it.handleDatagram(ack(third.header, { flags: 2 }), 1_006);
  const [fourth] = sendAll(it, metrics, 2_005) as [Sent];
  assert.ok(fourth.fields['identity'] !== null);
});

test('7.1: a declared stall limit is in every beat, with and without an identity', () => {
  const [it, metrics] = [engine({ stallAfterMs: 1_200_000 }), new PlainMetrics()];
  const sent = [...sendAll(it, metrics, 0)];
  it.handleDatagram(ack((sent[0] as Sent).header, { challenge: 9 }), 5);
  for (const now of [1_000, 2_000]) sent.push(...sendAll(it, metrics, now));
  assert.deepEqual(
    sent.map(({ fields }) => [fields['stall_after_ms'], fields['identity'] !== null]),
    [
      [1_200_000, true],
      [1_200_000, false],
      [1_200_000, false],
    ],
  );
  const [first] = sendAll(engine(), metrics, 0) as [Sent];
  assert.equal(first.fields['stall_after_ms'], null);
});

test('5: an older ack brings no older challenge, and a push none at all', () => {
  const [it, metrics] = [engine(), new PlainMetrics()];
  const live = connect(it, metrics);
  const [next] = sendAll(it, metrics, 1_000) as [Sent];
  it.handleDatagram(ack(next.header, { challenge: 2 }), 1_001);
  it.handleDatagram(ack(live.header, { challenge: 3 }), 1_002);
  it.handleDatagram(push(live.header, 0, false), 1_003);
  it.handleDatagram(ack({ ...next.header, sequence: 99 }, { challenge: 4 }), 1_003);
  const [last] = sendAll(it, metrics, 2_000) as [Sent];
  assert.equal(challengeOf(last), 2);
});

test('5: of unconfirmed acks in a row only the first is followed at once', () => {
  const [it, metrics] = [engine(), new PlainMetrics()];
  connect(it, metrics);
  let [beat] = sendAll(it, metrics, 1_000) as [Sent];
  const times: number[] = [];
  for (let now = 1_000; now < 2_000; now += 1) {
    const sent = sendAll(it, metrics, now);
    if (sent.length === 0 && now > 1_000) continue;
    if (sent[0] !== undefined) [beat] = sent as [Sent];
    if (sent.length > 0) times.push(now);
    it.handleDatagram(ack(beat.header, { flags: 1, challenge: now % 200 }), now);
  }
  assert.deepEqual(times.slice(0, 4), [1_001, 1_101, 1_301, 1_701]);
});

test('5: at most ten beats a second are sent out of turn', () => {
  const schedule = new SendSchedule(60_000, () => 0.5, 0);
  schedule.onSent(0, null);
  let sent = 0;
  for (let now = 1; now < 10_000; now += 1) {
    schedule.expedite(now);
    if (schedule.nextDue <= now) {
      schedule.onSent(now, null);
      sent += 1;
    }
  }
  assert.ok(sent >= 100 && sent <= 110, String(sent));
});

test('5: a copy of a process goes on in a session of its own, with the work that no live message has brought', () => {
  for (const [answer, isCarried] of [
    [{ flags: 4 }, false],
    [{ highest: 40 }, false],
    [{ flags: 4 }, true],
  ] as const) {
    const [it, metrics] = [engine(), new PlainMetrics()];
    connect(it, metrics);
    metrics.ok = 3;
    const [beat] = sendAll(it, metrics, 1_000) as [Sent];
    if (isCarried) it.handleDatagram(ack(beat.header), 1_001);
    it.handleDatagram(ack(beat.header, { ...answer, durable: 77 }), 1_002);
    assert.ok(it.isSessionTaken);
    it.beginSession('fedcba9876543210', 1_002);
    const [again] = sendAll(it, metrics, 1_102) as [Sent];
    assert.deepEqual(
      [again.header.session, again.header.sequence, challengeOf(again)],
      ['fedcba9876543210', 1, 0],
    );
    const segment = again.fields['segment'] as { number: number; ok: number } | null;
    assert.deepEqual(segment && [segment.number, segment.ok], isCarried ? null : [1, 3]);
  }
});

test('7.2: a segment for which there is no room beside the identity rides on the next beat', () => {
  const labels = Array.from({ length: 16 }, (_, n) => [`key${n}`, 'v'.repeat(128)] as const);
  const [it, metrics] = [
    engine({ identity: fitIdentity({ labels, depends: [], host: 'm3' }) }),
    new PlainMetrics(),
  ];
  for (let bucket = 0; bucket < 1_000; bucket += 1) metrics.latency.set(bucket, 1_000_000);
  const [first] = sendAll(it, metrics, 0) as [Sent];
  assert.ok(first.fields['identity'] !== null && first.fields['segment'] === null);
  it.handleDatagram(ack(first.header), 1);
  const [second] = sendAll(it, metrics, 1_100) as [Sent];
  assert.ok(second.fields['segment'] !== null && second.length <= 1_200);
});

test('9: a segment stays as it is until it is durable, and a large histogram is split without loss', () => {
  const [it, metrics] = [engine(), new PlainMetrics()];
  for (let bucket = 0; bucket < 1_033; bucket += 1) metrics.latency.set(bucket, bucket * 100 + 1);
  metrics.ok = 5;
  const seen = new Map<number, number>();
  let [now, ok, parts] = [0, 0, 0];
  for (;;) {
    const [beat] = sendAll(it, metrics, now) as [Sent];
    const segment = beat.fields['segment'] as {
      number: number;
      ok: number;
      latency: Buffer;
    } | null;
    if (segment === null) break;
    metrics.ok += segment.number === 1 && parts === 0 ? 2 : 0;
    it.handleDatagram(ack(beat.header), now + 1);
    const [again] = sendAll(it, metrics, now + 1_100) as [Sent];
    assert.deepEqual(again.fields['segment'], segment);
    for (const [bucket, count] of unpackHistogram(segment.latency)) seen.set(bucket, count);
    ok += segment.ok;
    parts += 1;
    it.handleDatagram(ack(again.header, { durable: segment.number }), now + 1_101);
    now += 3_000;
  }
  assert.ok(parts > 1);
  assert.equal(ok, 7);
  assert.deepEqual(
    [...seen].sort(([a], [b]) => a - b),
    Array.from({ length: 1_033 }, (_, n) => [n, n * 100 + 1]),
  );
});

test('11: repeats while no ack has come', () => {
  const [it, metrics] = [engine({ intervalMs: 30_000 }), new PlainMetrics()];
  const times: number[] = [];
  for (let now = 0; now < 16_000; now += 500)
    if (sendAll(it, metrics, now).length > 0) times.push(now);
  assert.deepEqual(times, [0, 1_000, 3_000, 7_000, 15_000]);
});

test('12: a kill is reported at once, and repeated until it is known', () => {
  const [it, metrics] = [engine({ intervalMs: 30_000 }), new PlainMetrics()];
  const live = connect(it, metrics);
  assert.equal(it.handleDatagram(push(live.header, 4, true), 2_000), true);
  const [report] = sendAll(it, metrics, 2_000) as [Sent];
  assert.deepEqual([report.fields['generation'], report.fields['killed']], [4, true]);
  assert.equal(it.nextTimeout, 2_400);
  assert.equal(it.handleDatagram(push(live.header, 4, true), 2_100), false);
  const [repeat] = sendAll(it, metrics, 2_400) as [Sent];
  it.handleDatagram(ack(repeat.header, { generation: 4, killed: true }), 2_401);
  assert.equal(it.nextTimeout, 32_400);
});

test('12: each control id has its state, a kill wins, and a lift ends one', () => {
  const state = (control: string, generation: number, killed: boolean) => ({
    control,
    generation,
    killed,
  });
  const killed = AppliedStates.none.apply(state(CONTROL, 4, true), null) as AppliedStates;
  const both = killed.apply(state(OTHER_CONTROL, 1, false), null) as AppliedStates;
  assert.ok(both.isKilled);
  assert.deepEqual([both.blockedBy(OTHER_CONTROL), both.blockedBy(CONTROL)], [CONTROL, null]);
  assert.equal(both.apply(state(OTHER_CONTROL, 1, false), CONTROL), null);
  const lifted = both.apply(state(OTHER_CONTROL, 2, false), CONTROL) as AppliedStates;
  assert.equal(lifted.isKilled, false);
  assert.equal(lifted.apply(state(CONTROL, 4, true), null), null);
  assert.ok(lifted.apply(state(CONTROL, 5, true), null)?.isKilled);
  let many = killed;
  for (let n = 1; n < 100; n += 1)
    many = many.apply(state(n.toString(16).padStart(16, '0'), 1, false), null) ?? many;
  assert.equal(many.states.length, 16);
  assert.ok(many.isKilled);
});

test('13: goodbyes carry what is left, and end when it is durable', () => {
  const [it, metrics] = [engine(), new PlainMetrics()];
  connect(it, metrics);
  metrics.ok = 2;
  it.close(100, 1_000, 250);
  const [first] = sendAll(it, metrics, 100) as [Sent];
  assert.equal(first.header.type, MessageType.Goodbye);
  const [second] = sendAll(it, metrics, 200) as [Sent];
  assert.deepEqual(
    [second.header.sequence, second.fields['segment']],
    [4, first.fields['segment']],
  );
  metrics.ok = 1;
  it.handleDatagram(ack(second.header, { durable: 1 }), 210);
  const [rest] = sendAll(it, metrics, 210) as [Sent];
  assert.equal((rest.fields['segment'] as { ok: number }).ok, 1);
  it.handleDatagram(ack(rest.header, { durable: 2 }), 220);
  sendAll(it, metrics, 220);
  assert.equal(it.nextTimeout, null);
});

test('13: a session that was never live is introduced first, and patience ends', () => {
  const [it, metrics] = [engine(), new PlainMetrics()];
  sendAll(it, metrics, 0);
  it.close(10, 1_000, 250);
  const [beat] = sendAll(it, metrics, 10) as [Sent];
  assert.deepEqual([beat.header.type, beat.fields['phase']], [MessageType.Beat, 3]);
  it.handleDatagram(ack(beat.header, { flags: 1 }), 20);
  const [live] = sendAll(it, metrics, 20) as [Sent];
  assert.equal(live.header.type, MessageType.Beat);
  it.handleDatagram(ack(live.header), 30);
  assert.equal((sendAll(it, metrics, 30) as [Sent])[0].header.type, MessageType.Goodbye);
  assert.equal(it.nextTimeout, 130);
  // The collector has answered: it may take its time from now on.
  sendAll(it, metrics, 260);
  assert.notEqual(it.nextTimeout, null);
  sendAll(it, metrics, 1_010);
  assert.equal(it.nextTimeout, null);
  const unanswered = engine();
  sendAll(unanswered, metrics, 0);
  unanswered.close(10, 1_000, 250);
  sendAll(unanswered, metrics, 260);
  assert.equal(unanswered.nextTimeout, null);
});

test("3: what is not from this agent's collector changes nothing", () => {
  const [it, metrics] = [engine(), new PlainMetrics()];
  const live = connect(it, metrics);
  const good = ack(live.header, { generation: 9, killed: true });
  for (let at = 0; at < good.length; at += 1) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] as number) ^ 0x40;
    assert.throws(() => it.handleDatagram(bad, 5), Refused, `byte ${at}`);
    assert.throws(() => it.handleDatagram(good.subarray(0, at), 5), Refused);
  }
  assert.equal(
    it.handleDatagram(
      ack({ ...live.header, session: 'ffffffffffffffff' }, { generation: 9, killed: true }),
      5,
    ),
    false,
  );
  assert.equal(it.applied.isKilled, false);
});

const COUNTS_PENDING = 8;
const [TASKS, TOKENS] = [1, 2];

test('12.1: what is left counts from the durable segment or the one after it', () => {
  const [it, metrics] = [engine(), new PlainMetrics()];
  connect(it, metrics);
  let now = 0;
  const beat = (answer: Parameters<typeof ack>[1]): void => {
    now += 1_200;
    const [sent] = sendAll(it, metrics, now) as [Sent];
    it.handleDatagram(ack(sent.header, answer), now);
  };
  metrics.ok = 5;
  beat({ durable: 0, budget: [TASKS, 9] });
  assert.deepEqual(it.spendingLimit, { unit: 'tasks', total: 9 }, 'the pending one is not counted');
  beat({ durable: 0, flags: COUNTS_PENDING, budget: [TASKS, 9] });
  assert.deepEqual(it.spendingLimit, { unit: 'tasks', total: 14 });
  metrics.ok = 1;
  beat({ durable: 1, budget: [TASKS, 0] });
  beat({ durable: 2, budget: [TOKENS, 7] });
  assert.deepEqual(it.spendingLimit, { unit: 'tokens', total: 7 });
  beat({ durable: 2, budget: [TASKS, 3] });
  assert.deepEqual(it.spendingLimit, { unit: 'tasks', total: 9 });
  beat({ durable: 1, budget: [TASKS, 0] });
  assert.deepEqual(it.spendingLimit, { unit: 'tasks', total: 9 }, 'more is durable than it knows');
  beat({ durable: 2, flags: 1 });
  assert.deepEqual(it.spendingLimit, { unit: 'tasks', total: 9 }, 'it says nothing of it');
  it.beginSession('00000000000000ff', now);
  assert.deepEqual(it.spendingLimit, { unit: 'tasks', total: 9 });
  connectAt(it, metrics, now + 200);
  assert.equal(it.spendingLimit, null, 'an ack without a budget ends it');
});

function connectAt(to: ReturnType<typeof engine>, metrics: PlainMetrics, now: number): void {
  const [first] = sendAll(to, metrics, now) as [Sent];
  to.handleDatagram(ack(first.header, { flags: 1 }), now);
  const [second] = sendAll(to, metrics, now) as [Sent];
  to.handleDatagram(ack(second.header), now);
}
