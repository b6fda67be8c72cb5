/** A rolling restart is no outage. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { AgentProcess } from '../support/agentProcess.js';
import { Collector } from '../support/collector.js';
import { agent, FOREVER } from '../support/endings.js';

let collector: Collector;
before(async () => {
  collector = await Collector.start();
});
after(() => collector.close());

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
