/** Ends, restarts and programs that an emitter must survive. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { start } from 'heartline';

import { AgentProcess } from '../support/agentProcess.js';
import { Collector, eventually } from '../support/collector.js';
import { LossyProxy } from '../support/lossyProxy.js';

let collector: Collector;
before(async () => {
  collector = await Collector.start();
  collector.adopt();
});
after(() => collector.close());

const LIVE = `while (!hb.status().isHealthy) await new Promise((resolve) => setTimeout(resolve, 10));`;

test('a thread that is ended by others is a problem, and the agent goes on', async () => {
  const agent = new AgentProcess(
    `
    import { start } from 'heartline';
    process.on('worker', (worker) => setTimeout(() => worker.terminate(), 300));
    const hb = start('ended-thread');
    await new Promise((resolve) => setTimeout(resolve, 600));
    console.log(await hb.task(async () => 'works'), String(hb.status()));`,
    collector.environment,
  );
  const { code, stdout, stderr } = await agent.ended();
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /^works off; the emitter has failed: nothing is sent any more \(its thread was ended\)/,
  );
});

test('a program that may start no threads is told so', async () => {
  const [major = 0] = process.versions.node.split('.').map(Number);
  const permission = major >= 24 ? '--permission' : '--experimental-permission';
  const agent = new AgentProcess(
    `
    import { start } from 'heartline';
    const hb = start('no-threads');
    hb.report();
    console.log(String(hb.status()));`,
    collector.environment,
    [permission, '--allow-fs-read=*'],
  );
  const { code, stdout } = await agent.ended();
  assert.equal(code, 0);
  assert.match(stdout, /^off; .*can't start the sender's thread: /);
});

test('what a program loads first is not loaded by the thread', async () => {
  const preload = `data:text/javascript,${encodeURIComponent(`import { threadId } from 'node:worker_threads'; console.log('loaded in ' + threadId);`)}`;
  const agent = new AgentProcess(
    `import { start } from 'heartline'; const hb = start('preloads'); ${LIVE}`,
    collector.environment,
    ['--import', preload],
  );
  const { stdout } = await agent.ended();
  assert.equal(stdout, 'loaded in 0\n');
});

test('a log, hooks and settings that throw reach nobody', async () => {
  const agent = new AgentProcess(
    `
    import { start } from 'heartline';
    const hb = start('throws', {
      interval: 1, log: () => { throw new Error('of the log'); },
      onKill: async () => { throw new Error('of the hook'); },
      get group() { return 'fine'; },
    });
    while (hb.status().collectors[0]?.connection !== 'confirmed') await new Promise((resolve) => setTimeout(resolve, 10));
    console.log('live');
    setInterval(() => {}, 1_000);`,
    collector.environment,
  );
  await agent.printed('live');
  await collector.operator('kill', 'throws', '--reason', 'test', '--yes', '--wait', '10s');
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(agent.child.exitCode, null);
  assert.equal(agent.stderr, '');
  agent.signal('SIGKILL');
  await agent.ended();
});

test('fifteen starts and stops leave nothing behind', async () => {
  const events = ['exit', 'SIGTERM', 'SIGINT', 'uncaughtExceptionMonitor'];
  const listeners = () => events.map((event) => process.listenerCount(event));
  await start('again').stop();
  const before = listeners();
  for (let round = 0; round < 3; round += 1) {
    await Promise.all(
      ['again', 'a', 'b', 'c', 'd'].map(async (name) => {
        const hb = start(name);
        hb.report();
        await eventually(
          () => hb.status().isHealthy,
          () => String(hb.status()),
        );
        await hb.stop();
        assert.equal(String(hb.status()), 'off');
      }),
    );
  }
  assert.deepEqual(listeners(), before);
});

test('a collector that is killed again and again loses no task', async () => {
  const hb = start('never-loses', { interval: 100 });
  let [tasks, isDone] = [0, false];
  const work = (async () => {
    while (!isDone) {
      await hb.task(async (t) => {
        t.cost(0.000_000_001);
        await new Promise((resolve) => setTimeout(resolve, 1));
      });
      tasks += 1;
    }
  })();
  for (let round = 0; round < 5; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 150));
    await collector.kill9();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await collector.restart();
  }
  isDone = true;
  await work;
  await eventually(
    () => hb.status().isHealthy,
    () => String(hb.status()),
  );
  await hb.stop();
  const { total } = await collector.until('never-loses', (it) => it.reason === 'shutdown');
  assert.deepEqual([total.ok, total.failed, total.cost_nano_usd], [tasks, 0, tasks]);
});

test('a network that loses, duplicates and reorders changes no sum, and a kill arrives', async () => {
  for (const seed of [1, 2, 3]) {
    const name = `lossy-${seed}`;
    const proxy = await LossyProxy.start(collector.address, seed);
    const hb = start(name, { collector: proxy.address, interval: 100, log: () => {} });
    for (let n = 0; n < 200; n += 1) {
      hb.report({ success: n % 5 !== 0, costUsd: n * 1e-9, latencyMs: n, tokensIn: n });
      if (n % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await collector.operator('kill', name, '--reason', 'test', '--yes', '--wait', '10s');
    assert.ok(hb.killed, `seed ${seed}`);
    await collector.until(name, (it) => it.total.ok + it.total.failed === 200);
    await hb.stop();
    const { total } = await collector.until(name, (it) => it.in_flight === 0);
    const { ok, failed, cost_nano_usd: nano, tokens_in: tokens } = total;
    assert.deepEqual([ok, failed, nano, tokens], [160, 40, 19_900, 19_900], `seed ${seed}`);
    proxy.close();
  }
});

test('a task that never ends, and ten thousand beside it, end in order', async () => {
  const hb = start('many', { interval: 100 });
  const forever = hb.begin('forever');
  await Promise.all(
    Array.from({ length: 10_000 }, (_, n) =>
      hb.task(async (t) => {
        await null;
        if (n % 3 === 0) t.step('middle');
        if (n % 7 === 0) t.fail();
      }),
    ),
  );
  assert.equal(hb.status().inFlight, 1);
  await collector.until(
    'many',
    (it) => it.in_flight === 1 && it.total.ok + it.total.failed === 10_000,
  );
  forever.end();
  await hb.stop();
});
