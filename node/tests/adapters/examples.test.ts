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

/** Each with the agents and the tasks that it ends with. */
const EXAMPLES: Record<string, Record<string, number>> = {
  'ai-sdk': { 'ai-sdk': 3 },
  cluster: { 'web.1': 10, 'web.2': 10 },
  langgraph: { langgraph: 2 },
  'openai-agents': { 'openai-agents': 1 },
  otel: { otel: 1 },
};

test('each example runs without a network, and its tasks are counted', async () => {
  const { HEARTLINE_INTERVAL: _, ...environment } = collector.environment;
  for (const [name, agents] of Object.entries(EXAMPLES)) {
    const path = join(ROOT, 'node/examples', `${name}.mjs`);
    const { stderr } = await run(process.execPath, [path], { env: environment });
    assert.equal(stderr, '', name);
    for (const [agent, tasks] of Object.entries(agents)) {
      const { total } = await collector.until(agent, (it) => it.reason === 'shutdown');
      assert.deepEqual([total.ok, total.failed], [tasks, 0], agent);
    }
  }
});
