/** The examples, as a newcomer runs them. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { Collector } from '../support/collector.js';
import { ROOT } from '../support/vectors.js';

const run = promisify(execFile);
let collector: Collector;
before(async () => {
  collector = await Collector.start();
});
after(() => collector.close());

/** Each with the name of its agent, or the beginning of its replicas' names, and its tasks. */
const EXAMPLES: readonly (readonly [string, string, number])[] = [
  ['ai-sdk', 'ai-sdk', 3],
  ['cluster', 'web.', 20],
  ['langgraph', 'langgraph', 2],
  ['openai-agents', 'openai-agents', 1],
  ['otel', 'otel', 1],
];

test('each example runs without a network, and its tasks are counted', async () => {
  const { HEARTLINE_INTERVAL: _, ...environment } = collector.environment;
  for (const [name, agent, tasks] of EXAMPLES) {
    const path = join(ROOT, 'node/examples', `${name}.mjs`);
    const { stderr } = await run(process.execPath, [path], { env: environment });
    assert.equal(stderr, '', name);
    const own = (await collector.agents()).filter((it) => it.agent.startsWith(agent));
    const reasons = own.map(({ reason }) => reason);
    assert.ok(
      reasons.every((reason) => reason === 'shutdown'),
      `${name}: ${reasons.join()}`,
    );
    const ended = own.map(({ total }) => [total.ok, total.failed] as const);
    const sums = ended.reduce(([a, b], [ok, failed]) => [a + ok, b + failed] as const, [0, 0]);
    assert.deepEqual(sums, [tasks, 0], name);
  }
});
