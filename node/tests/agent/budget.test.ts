/** The gate that closes when a budget is used up: section 12.1, rules 3 to 5. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { start } from 'heartline';

import { Emitter } from '../../src/emitter.js';
import { Heartline } from '../../src/heartline.js';
import { AgentKilled } from '../../src/killGate.js';
import { Field, Flag, KillBit } from '../../src/shared/memory.js';
import { Collector, eventually } from '../support/collector.js';

test('any budget that is used up holds the next task, and the last one counts', async () => {
  for (const [field, limit] of [
    [Field.TasksLimit, 1],
    [Field.CostLimit, 30_000_000],
    [Field.TokensLimit, 10],
  ] as const) {
    let kills = 0;
    const emitter = new Emitter('mail', { onKill: () => (kills += 1) }, []);
    const hb = new Heartline(emitter);
    emitter.memory.fields[field] = limit;
    assert.equal(hb.killed, false);
    await hb.task((t) => {
      t.cost(0.03);
      t.tokens({ input: 7, output: 3 });
    });
    assert.equal(hb.killed, true);
    const { killCause } = hb.status();
    assert.equal(killCause, 'budget');
    assert.equal(String(hb.status()), 'off, stopped: its budget is used up');
    let hasRun = false;
    const held = hb.task(() => (hasRun = true));
    await new Promise(setImmediate);
    assert.deepEqual([hasRun, kills], [false, 1]);
    // As the sender does when more is left.
    emitter.memory.fields[field] = Infinity;
    Atomics.and(emitter.memory.flags, Flag.Killed, ~KillBit.Budget);
    emitter.gate.wake();
    await held;
    assert.equal(hasRun, true);
  }
});

test('a command and a budget hold tasks each by itself', () => {
  const emitter = new Emitter('mail', { onKill: 'raise' }, []);
  const hb = new Heartline(emitter);
  emitter.memory.fields[Field.TasksLimit] = 0;
  Atomics.or(emitter.memory.flags, Flag.Killed, KillBit.Command);
  assert.throws(() => hb.taskSync(() => 1), AgentKilled);
  assert.equal(hb.status().killCause, 'command');
  Atomics.and(emitter.memory.flags, Flag.Killed, ~KillBit.Command);
  assert.throws(() => hb.taskSync(() => 1), AgentKilled);
  assert.equal(hb.status().killCause, 'budget');
});

const BUDGET = `
[[budget]]
name = "five"
match = "spender"
tasks = 5
per = "day"
at_limit = "kill"
`;

test('an agent that beats every 30 s stops at the end of its budget', async () => {
  const collector = await Collector.start('5m', BUDGET);
  collector.adopt();
  const hb = start('spender', { interval: '30s', onKill: 'raise' });
  await eventually(() => String(hb.status()) === 'live');
  let done = 0;
  await assert.rejects(async () => {
    for (let at = 0; at < 100; at += 1) await hb.task(() => (done += 1));
  }, { name: 'AgentKilled' });
  assert.equal(done, 5);
  await collector.until('spender', (it) => it.reason === 'policy' && it.total.ok === 5);
  await eventually(() => hb.status().killCause === 'command');
  await collector.operator('resume', 'spender', '--yes', '--wait', '10s');
  await hb.resumed();
  await hb.task(() => (done += 1));
  await hb.stop();
  await collector.until('spender', (it) => it.total.ok === 6);
  await collector.close();
});
