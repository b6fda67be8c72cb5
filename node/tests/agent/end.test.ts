/** The end of a process by its own doing. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { AgentProcess } from '../support/agentProcess.js';
import { Collector } from '../support/collector.js';
import { agent, endOf, FOREVER, saysGoodbye } from '../support/endings.js';

let collector: Collector;
before(async () => {
  collector = await Collector.start();
});
after(() => collector.close());

test('the natural end, and process.exit, say goodbye', async () => {
  const ends: [string, string, number][] = [
    ['natural', '', 0],
    ['exits', 'process.exit(3);', 3],
    ['exits-in-task', `await hb.task(async () => process.exit(0));`, 0],
    ['exits-in-exit', `process.on('exit', () => process.exit(5)); process.exit(4);`, 5],
    ['exits-in-before-exit', `process.on('beforeExit', () => process.exit(6));`, 6],
    ['exits-in-microtask', `queueMicrotask(() => process.exit(7)); ${FOREVER}`, 7],
    ['stops-and-exits', `hb.stop(); process.exit(8);`, 8],
  ];
  await Promise.all(
    ends.map(async ([name, once, expected]) => {
      const { code, stderr } = await new AgentProcess(
        agent(name, once),
        collector.environment,
      ).ended();
      assert.deepEqual([code, stderr], [expected, ''], name);
      const ended = await collector.until(name, (it) => it.state !== 'healthy');
      assert.equal(endOf(ended), 'killed shutdown', name);
    }),
  );
});

test('a program that has just begun ends at once, without a collector too', async () => {
  const source = `import { start } from 'heartline'; start('short'); process.exit(2);`;
  const environment = { ...collector.environment, HEARTLINE_COLLECTOR: '127.0.0.1:9' };
  const { code, stderr } = await new AgentProcess(source, environment).ended();
  assert.deepEqual([code, stderr], [2, '']);
});

test('a crash says no goodbye, and shows what it would have shown', async () => {
  const crashes: [string, string][] = [
    ['throws', `throw new Error('a crash');`],
    ['rejects', `Promise.reject(new Error('a crash')); ${FOREVER}`],
    ['rejects-in-task', `hb.task(async () => { throw new Error('a crash'); }); ${FOREVER}`],
  ];
  for (const [name, once] of crashes) {
    const { code, stderr } = await new AgentProcess(
      agent(name, once),
      collector.environment,
    ).ended();
    assert.equal(code, 1);
    assert.match(stderr, /a crash/);
    const ended = await collector.until(name, (it) => it.state !== 'healthy');
    assert.equal(endOf(ended), 'degraded late', name);
  }
});

test('a program that catches its exceptions ends well', async () => {
  const once = `process.once('uncaughtException', () => setTimeout(() => process.exit(0), 100)); throw new Error('caught');`;
  const process = new AgentProcess(agent('catches', once), collector.environment);
  assert.equal((await process.ended()).code, 0);
  await saysGoodbye(collector, 'catches');
});
