/** The end of a process by SIGTERM or SIGINT. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { AgentProcess } from '../support/agentProcess.js';
import { Collector } from '../support/collector.js';
import { agent, FOREVER, saysGoodbye } from '../support/endings.js';

let collector: Collector;
before(async () => {
  collector = await Collector.start();
});
after(() => collector.close());

test('SIGTERM and SIGINT say goodbye, and end the process by the same signal', async () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const name = `ended-by-${signal.toLowerCase()}`;
    const process = new AgentProcess(agent(name, FOREVER), collector.environment);
    await process.printed('live');
    process.signal(signal);
    assert.equal((await process.ended()).signal, signal);
    await saysGoodbye(collector, name);
  }
});

test('a listener of the program decides, whenever it was added', async () => {
  const listeners: [string, string, string][] = [
    [
      'listens-before',
      `process.once('SIGTERM', () => { console.log('mine'); process.exit(9); });`,
      FOREVER,
    ],
    [
      'listens-later',
      '',
      `process.on('SIGTERM', () => { console.log('mine'); process.exit(9); }); console.log('ready'); ${FOREVER}`,
    ],
    [
      'listens-and-waits',
      '',
      `process.on('SIGTERM', () => { console.log('mine'); setTimeout(() => process.exit(9), 300); }); ${FOREVER}`,
    ],
  ];
  for (const [name, first, once] of listeners) {
    const process = new AgentProcess(agent(name, once, first), collector.environment);
    await process.printed('live');
    await collector.until(name, (it) => it.state === 'healthy');
    process.signal('SIGTERM');
    const { code, stdout } = await process.ended();
    assert.deepEqual([code, stdout.includes('mine')], [9, true], name);
    await saysGoodbye(collector, name);
  }
});

test('libraries that end the process at a signal themselves do so, with a goodbye', async () => {
  for (const library of ['signal-exit', 'signal-exit3']) {
    const first = `
      import { createRequire } from 'node:module';
      const loaded = createRequire(process.cwd() + '/')('${library}');
      (loaded.onExit ?? loaded)(() => { console.log('hook'); });`;
    for (const order of ['before', 'after']) {
      const name = `${library}-${order}`;
      const source =
        order === 'before'
          ? agent(name, FOREVER, first)
          : agent(
              name,
              `await import('data:text/javascript,' + encodeURIComponent(${JSON.stringify(first)})); ${FOREVER}`,
            );
      const process = new AgentProcess(source, collector.environment);
      await process.printed('live');
      await new Promise((resolve) => setTimeout(resolve, 200));
      process.signal('SIGTERM');
      const { signal, stdout } = await process.ended();
      assert.deepEqual([signal, stdout.includes('hook')], ['SIGTERM', true], name);
      await saysGoodbye(collector, name);
    }
  }
});
