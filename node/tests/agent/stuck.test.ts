/** An agent that is stuck becomes stalled while its beats go on. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { AgentProcess } from '../support/agentProcess.js';
import { type AgentView, Collector, eventually } from '../support/collector.js';

let collector: Collector;
before(async () => {
  collector = await Collector.start('1s');
});
after(() => collector.close());

async function stalls(name: string, source: string): Promise<AgentProcess> {
  const agent = new AgentProcess(
    `
    import { start } from 'heartline';
    const hb = start('${name}');
    while (!hb.status().isHealthy) await new Promise((resolve) => setTimeout(resolve, 10));
    setInterval(() => {}, 1_000);
    ${source}`,
    collector.environment,
  );
  await collector.until(name, (it) => it.state === 'degraded' && it.reason === 'stalled');
  return agent;
}

test('a task that never ends', async () => {
  const agent = await stalls('hangs', `hb.task('fetch', () => new Promise(() => {}));`);
  assert.equal((await collector.agent('hangs'))?.step, 'fetch');
  agent.signal('SIGKILL');
});

test('one task that hangs beside others that go on', async () => {
  const agent = await stalls(
    'hangs-beside',
    `
    hb.task(() => new Promise(() => {}));
    setInterval(() => hb.task(async (t) => t.step('quick')), 100);`,
  );
  agent.signal('SIGKILL');
});

test('a backlog that grows while nothing completes', async () => {
  const agent = await stalls(
    'backlog',
    `let depth = 0; setInterval(() => hb.queue(++depth), 100);`,
  );
  agent.signal('SIGKILL');
});

test('an agent that declares its own limit is judged by that', async () => {
  const lenient = await Collector.start();
  try {
    const hang = (name: string, stallAfter: string, environment: Record<string, string>) =>
      new AgentProcess(
        `
        import { start } from 'heartline';
        const hb = start('${name}', { stallAfter: ${stallAfter} });
        setInterval(() => {}, 1_000);
        hb.task('fetch', () => new Promise(() => {}));`,
        environment,
      );
    const impatient = hang('impatient', '1_500', lenient.environment);
    const patient = hang('patient', `'20m'`, collector.environment);
    const isStalled = (it: AgentView) => it.state === 'degraded' && it.reason === 'stalled';
    await lenient.until('impatient', isStalled);
    await collector.until('patient', (it) => (it.progress_age_ms ?? 0) > 1_600);
    assert.equal((await collector.agent('patient'))?.state, 'healthy');
    impatient.signal('SIGKILL');
    patient.signal('SIGKILL');
  } finally {
    await lenient.close();
  }
});

test('an event loop that is blocked, within a task and without one', async () => {
  const blocks = [
    ['blocked-in-task', `hb.task('parse', () => { for (;;); });`],
    ['blocked', 'for (;;);'],
    ['blocked-in-wait', `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`],
  ] as const;
  await Promise.all(
    blocks.map(async ([name, block]) => {
      const agent = await stalls(name, block);
      const { step, in_flight: inFlight } = await collector.until(
        name,
        (it) => it.step !== 'parse',
      );
      assert.equal(
        step,
        name === 'blocked-in-task' ? 'parse (event loop blocked)' : 'event loop blocked',
      );
      assert.equal(inFlight, 1);
      agent.signal('SIGKILL');
    }),
  );
});

test('SIGTERM ends a program whose event loop is blocked, and a loop that is free again listens', async () => {
  const hangs = new AgentProcess(
    `
    import { start } from 'heartline';
    start('ctrl-c', { interval: 200 });
    setTimeout(() => { console.log('blocks'); for (;;); }, 300);`,
    collector.environment,
  );
  await hangs.printed('blocks');
  await collector.until('ctrl-c', (it) => it.step === 'event loop blocked');
  // A signal of the first two seconds waits for the loop; a later one ends the program.
  await eventually(() => {
    hangs.signal('SIGTERM');
    return hangs.child.signalCode !== null;
  });
  assert.equal((await hangs.ended()).signal, 'SIGTERM');
  const recovers = new AgentProcess(
    `
    import { start } from 'heartline';
    const hb = start('recovers', { interval: 200 });
    setTimeout(() => { const until = Date.now() + 3_000; while (Date.now() < until); console.log('free'); }, 300);
    setInterval(() => {}, 1_000);`,
    collector.environment,
  );
  await recovers.printed('free');
  await collector.until('recovers', (it) => it.step === null && it.in_flight === 0);
  recovers.signal('SIGTERM');
  assert.equal((await recovers.ended()).signal, 'SIGTERM');
  await collector.until('recovers', (it) => it.reason === 'shutdown');
});
