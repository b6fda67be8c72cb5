/** Work of an agent, as a real collector counts it. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { current, currentTask, start } from 'heartline';

import { Collector, eventually } from '../support/collector.js';

let collector: Collector;
before(async () => {
  collector = await Collector.start();
  collector.adopt();
});
after(() => collector.close());

test('tasks and reports are counted to the last nano-dollar', async () => {
  const hb = start('counts');
  const seen = await hb.task('fetch', async (t) => {
    t.cost(0.03);
    t.tokens({ input: 900, output: 120 });
    await Promise.resolve();
    assert.equal(currentTask(), t);
    assert.equal(current(), hb);
    return 7;
  });
  assert.equal(seen, 7);
  assert.equal(
    await hb.task(() => 'of a function that is not async'),
    'of a function that is not async',
  );
  assert.equal(
    hb.taskSync((t) => (t.tokens({ output: 5 }), 3)),
    3,
  );
  await assert.rejects(
    hb.task(async () => Promise.reject(new Error('timeout'))),
    { message: 'timeout' },
  );
  await assert.rejects(
    hb.task(() => {
      throw new TypeError('thrown at once');
    }),
    TypeError,
  );
  await hb.task(async (t) => t.fail('half done'));
  assert.equal(hb.status().lastFailure, 'half done');
  const task = hb.begin('by callbacks');
  task.end();
  task.end(false);
  const double = hb.wrap(async (n: number) => 2 * n, 'double');
  assert.equal(await double(4), 8);
  hb.report({ success: false, latencyMs: 1.5, costUsd: 1e-9, tokensIn: 1 });
  hb.report();
  await hb.stop();
  const { total, state } = await collector.until('counts', (it) => it.reason === 'shutdown');
  assert.deepEqual(
    [total.ok, total.failed, total.cost_nano_usd, total.tokens_in, total.tokens_out],
    [6, 4, 30_000_001, 901, 125],
    state,
  );
});

test('a second start of one name is the same handle, and after a stop a new one', async () => {
  const hb = start('twice');
  assert.equal(start('twice', { interval: 100 }), hb);
  await eventually(
    () => hb.status().isHealthy,
    () => String(hb.status()),
  );
  await Promise.all([hb.stop(), hb.stop()]);
  await hb.stop();
  assert.equal(String(hb.status()), 'off');
  const again = start('twice');
  assert.notEqual(again, hb);
  await eventually(
    () => again.status().isHealthy,
    () => String(again.status()),
  );
  await again.stop();
});

test('work after a stop is lost, and said once', async () => {
  const warnings: string[] = [];
  const hb = start('late-work', { log: (message) => warnings.push(message) });
  await hb.stop();
  hb.report();
  hb.report();
  assert.equal(await hb.task(async () => 'done'), 'done');
  assert.equal(hb.status().lostObservations, 3);
  assert.deepEqual(warnings, ['work was reported after stop(), and is not counted']);
});

test('invalid values are lost, and the rest of a report counts', async () => {
  const hb = start('invalid');
  for (const latencyMs of [Number.NaN, -1, -Infinity]) hb.report({ latencyMs });
  for (const costUsd of [Number.NaN, -0.01, Infinity, 1e30]) hb.report({ costUsd });
  for (const tokensIn of [Number.NaN, -1, 0.5, 2 ** 60]) hb.report({ tokensIn });
  hb.report({ latencyMs: Infinity, tokensOut: 4 });
  const anything = hb as unknown as Record<string, (value: unknown) => unknown>;
  anything['report']?.(7);
  anything['queue']?.('many');
  assert.equal(await anything['task']?.('no function'), undefined);
  const { lostObservations, problems } = hb.status();
  assert.equal(lostObservations, 12);
  assert.deepEqual(
    problems.map(({ kind }) => kind),
    ['Misuse', 'Misuse', 'Misuse'],
  );
  await hb.stop();
  const { total } = await collector.until('invalid', (it) => it.total.ok === 12);
  assert.deepEqual([total.failed, total.tokens_in, total.tokens_out], [0, 0, 4]);
});

test('a wait shows as waiting, and a step as the step', async () => {
  const hb = start('waits');
  const result = hb.waiting('approval', async () => {
    await collector.until('waits', (it) => it.step === 'approval' && it.phase === 'waiting');
    return 'granted';
  });
  assert.equal(await result, 'granted');
  hb.step('planning');
  hb.queue(7);
  await collector.until('waits', (it) => it.step === 'planning' && it.phase === 'running');
  await hb.stop();
});

test('several collectors each count all work', async () => {
  const other = await Collector.start();
  const { token } = collector;
  // The same master key: the token of one is that of the other.
  const { cpSync } = await import('node:fs');
  await other.kill9();
  for (const file of ['master.key', 'local.token']) {
    cpSync(`${collector.dir}/s/heartline/${file}`, `${other.dir}/s/heartline/${file}`);
  }
  await other.restart();
  const hb = start('both', { collector: `${collector.address},${other.address}`, token });
  for (let n = 0; n < 10; n += 1) hb.report({ costUsd: 0.5 });
  await other.kill9();
  hb.report({ success: false });
  await collector.until('both', (it) => it.total.failed === 1);
  await other.restart();
  for (const each of [collector, other]) {
    await each.until('both', (it) => it.total.ok === 10 && it.total.failed === 1);
  }
  await hb.stop();
  for (const each of [collector, other]) {
    const { total } = await each.until('both', (it) => it.state !== 'healthy');
    assert.deepEqual([total.ok, total.failed, total.cost_nano_usd], [10, 1, 5_000_000_000]);
  }
  await other.close();
});
