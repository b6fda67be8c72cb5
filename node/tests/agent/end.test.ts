/** The end of a process. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { AgentProcess } from '../support/agentProcess.js';
import { type AgentView, Collector } from '../support/collector.js';

let collector: Collector;
before(async () => {
  collector = await Collector.start();
});
after(() => collector.close());

/** Source of an agent that does one thing once it is live. */
function agent(name: string, once: string, first = ''): string {
  return `
    import { start } from 'heartline';
    ${first}
    const hb = start('${name}');
    hb.report({ costUsd: 1 });
    while (!hb.status().isHealthy) await new Promise((resolve) => setTimeout(resolve, 10));
    console.log('live');
    ${once}`;
}

const FOREVER = 'setInterval(() => {}, 1_000);';

/** Says how an agent has ended: a goodbye is the kill by the agent's own hand. */
function endOf({ state, reason }: AgentView): string {
  return `${state} ${reason}`;
}

async function stops(name: string): Promise<void> {
  const agent = await collector.until(name, (it) => it.state !== 'healthy');
  const { total } = agent;
  assert.deepEqual(
    [endOf(agent), total.ok, total.cost_nano_usd],
    ['killed shutdown', 1, 1_000_000_000],
    name,
  );
}

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

test('SIGTERM and SIGINT say goodbye, and end the process by the same signal', async () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const name = `ended-by-${signal.toLowerCase()}`;
    const process = new AgentProcess(agent(name, FOREVER), collector.environment);
    await process.printed('live');
    process.signal(signal);
    assert.equal((await process.ended()).signal, signal);
    await stops(name);
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
    await stops(name);
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
      await stops(name);
    }
  }
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
  await stops('catches');
});

test('a rolling restart of 20 agents shows no outage', async () => {
  const run = (n: number) =>
    new AgentProcess(agent(`rolling.${n}`, FOREVER), collector.environment);
  const old = Array.from({ length: 20 }, (_, n) => run(n));
  for (const each of old) await each.printed('live');
  const fresh = await Promise.all(
    old.map(async (process, n) => {
      process.signal('SIGTERM');
      await process.ended();
      const replacement = run(n);
      await replacement.printed('live');
      return replacement;
    }),
  );
  const events = (await collector.operator('events', '--json'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { agent: string; kind: string; to?: string })
    .filter((event) => event.agent.startsWith('rolling.') && event.kind === 'transition');
  const bad = events.filter(
    (event) => event.to !== 'healthy' && event.to !== 'stopped' && event.to !== 'killed',
  );
  assert.deepEqual(bad, []);
  assert.equal(events.filter((event) => event.to === 'healthy').length, 40);
  for (const each of fresh) each.signal('SIGKILL');
});
