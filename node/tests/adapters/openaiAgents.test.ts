/** The OpenAI Agents SDK, with a fake model. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import {
  Agent,
  addTraceProcessor,
  getCurrentSpan,
  type Model,
  run,
  setTraceProcessors,
  setTracingDisabled,
  tool,
  Usage,
} from '@openai/agents';
import type { Heartline } from 'heartline';
import { HeartlineTraceProcessor } from 'heartline/openai-agents';
import { z } from 'zod';

import { Collector } from '../support/collector.js';
import { counted, startAgent } from '../support/counted.js';

const says = (text: string) => [
  {
    type: 'message',
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text }],
  },
];
const calls = (name: string) => [
  { type: 'function_call', callId: 'c1', name, arguments: '{}', status: 'completed' },
];

function model(...answers: unknown[]): Model {
  let at = 0;
  return {
    async getResponse() {
      const output = answers[Math.min(at++, answers.length - 1)];
      if (output instanceof Error) throw output;
      const usage = new Usage({ requests: 1, inputTokens: 10, outputTokens: 5, totalTokens: 15 });
      return { usage, output, responseId: `r${at}` } as never;
    },
    async *getStreamedResponse() {},
  };
}

let collector: Collector;
let hb: Heartline;
before(async () => {
  collector = await Collector.start();
  hb = await startAgent(collector, 'agents');
  setTraceProcessors([]);
  setTracingDisabled(false);
  addTraceProcessor(new HeartlineTraceProcessor({ handle: hb }, getCurrentSpan) as never);
});
after(async () => {
  await hb.stop();
  await collector.close();
});

test('runs, tools, nested agents, failures, tokens', async () => {
  const agent = (name: string, answers: unknown[], tools: unknown[] = []) =>
    new Agent({ name, instructions: 'x', model: model(...answers), tools: tools as never });
  const look = tool({
    name: 'look',
    description: 'looks',
    parameters: z.object({}),
    execute: async () => 'seen',
  });
  await run(agent('helper', [calls('look'), says('hi')], [look]), 'hello');
  const inner = agent('inner', [says('from inside')]);
  const ask = tool({
    name: 'ask',
    description: 'asks',
    parameters: z.object({}),
    execute: async () => (await run(inner, 'x')).finalOutput ?? '',
  });
  await run(agent('outer', [calls('ask'), says('hi')], [ask]), 'hello');
  const asTool = agent('as-tool', [says('from inside')]).asTool({
    toolName: 'as_tool',
    toolDescription: 'x',
  });
  await run(
    agent(
      'outer-2',
      [[{ ...calls('as_tool')[0], arguments: '{"input":"x"}' }], says('hi')],
      [asTool],
    ),
    'hello',
  );
  await assert.rejects(run(agent('bad', [new Error('model down')]), 'x'), /model down/);
  await hb.task(() => run(agent('in-task', [says('hi')]), 'x'));
  await Promise.all([run(agent('a', [says('a')]), 'x'), run(agent('b', [says('b')]), 'x')]);
  const total = await counted(collector, 'agents', 7);
  assert.deepEqual([total.ok, total.failed], [6, 1]);
  assert.deepEqual([total.in, total.out], [110, 55]);
  assert.deepEqual(hb.status().problems, []);
});
