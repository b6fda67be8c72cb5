/** The AI SDK, versions 6 and 7, with a fake model. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import * as ai6 from 'ai';
import { MockLanguageModelV3 } from 'ai/test';
import * as ai7 from 'ai7';
import { MockLanguageModelV4 } from 'ai7/test';
import { currentTask, type Heartline } from 'heartline';
import { heartlineIntegration, heartlineTelemetry } from 'heartline/ai';
import { z } from 'zod';

import { Collector, eventually } from '../support/collector.js';
import { counted, startAgent } from '../support/counted.js';

const usage = { inputTokens: { total: 10 }, outputTokens: { total: 5 } };
const finish = (unified: string) => ({ unified, raw: unified });
const says = (text: string) => ({
  content: [{ type: 'text', text }],
  finishReason: finish('stop'),
  usage,
  warnings: [],
});
const calls = (toolName: string) => ({
  content: [{ type: 'tool-call', toolCallId: 'c1', toolName, input: '{}' }],
  finishReason: finish('tool-calls'),
  usage,
  warnings: [],
});

function model4(...answers: unknown[]) {
  let at = 0;
  return new MockLanguageModelV4({
    doGenerate: async () => {
      const answer = answers[Math.min(at++, answers.length - 1)];
      if (answer instanceof Error) throw answer;
      return answer as never;
    },
  });
}

let collector: Collector;
let seven: Heartline;
let six: Heartline;
before(async () => {
  collector = await Collector.start();
  seven = await startAgent(collector, 'ai7');
  six = await startAgent(collector, 'ai6');
  ai7.registerTelemetry(
    heartlineTelemetry({
      handle: seven,
      cost: ({ tokensOut }) => (tokensOut ?? 0) * 0.001,
    }) as never,
  );
  ai6.registerTelemetryIntegration(heartlineIntegration({ handle: six }) as never);
});
after(async () => {
  await Promise.all([seven.stop(), six.stop()]);
  await collector.close();
});

test('version 7: runs, failures, nested runs, tokens, cost, waits', async () => {
  const generate = (model: unknown, more: object = {}) =>
    ai7.generateText({ model: model as never, prompt: 'hello', maxRetries: 0, ...more });
  await generate(model4(says('hi')));
  await assert.rejects(generate(model4(new Error('model down'))), /model down/);
  assert.match(seven.status().lastFailure ?? '', /model down/);
  const nested = ai7.tool({
    description: 'asks again',
    inputSchema: z.object({}),
    execute: async () => (await generate(model4(says('inner')))).text,
  });
  await generate(model4(calls('nested'), says('outer')), {
    tools: { nested },
    stopWhen: ai7.stepCountIs(3),
  });
  await Promise.all([generate(model4(says('a'))), generate(model4(says('b')))]);
  await seven.task(async () => {
    assert.ok(currentTask());
    await generate(model4(says('within a task')));
  });
  const stream = ai7.streamText({
    model: new MockLanguageModelV4({
      doStream: async () =>
        ({
          stream: ai7.simulateReadableStream({
            chunks: [
              { type: 'stream-start', warnings: [] },
              { type: 'text-start', id: '1' },
              { type: 'text-delta', id: '1', delta: 'hi' },
              { type: 'text-end', id: '1' },
              { type: 'finish', finishReason: finish('stop'), usage },
            ],
          }),
        }) as never,
    }) as never,
    prompt: 'stream',
  });
  for await (const _ of stream.textStream);
  // Of the nested run only the outer one is a task, and the calls of both count, each once.
  const total = await counted(collector, 'ai7', 7);
  assert.deepEqual([total.ok, total.failed], [6, 1]);
  assert.deepEqual([total.in, total.out, total.nano], [80, 40, 40_000_000]);
  const risky = ai7.tool({
    description: 'risky',
    inputSchema: z.object({}),
    needsApproval: true,
    execute: async () => 'done',
  } as never);
  const asked = await generate(model4(calls('risky')), { tools: { risky } });
  await collector.until('ai7', (it) => it.phase === 'waiting' && it.step === 'approval of risky');
  const request = asked.content.find((part) => part.type === 'tool-approval-request') as {
    approvalId: string;
  };
  await ai7.generateText({
    model: model4(says('done')) as never,
    tools: { risky },
    messages: [
      { role: 'user', content: 'hello' },
      ...asked.responseMessages,
      {
        role: 'tool',
        content: [
          { type: 'tool-approval-response', approvalId: request.approvalId, approved: true },
        ],
      },
    ] as never,
  });
  await collector.until('ai7', (it) => it.phase === 'running');
  assert.deepEqual((await counted(collector, 'ai7', 9)).failed, 1);
  assert.deepEqual(seven.status().problems, []);
});

test('version 7: a kill does not hold what is part of a task in flight', async () => {
  let goOn = () => {};
  const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
  const task = seven.task(async () => {
    await mayGoOn;
    return ai7.generateText({ model: model4(says('hi')) as never, prompt: 'in flight' });
  });
  const obeyed = collector.operator('kill', 'ai7', '--reason', 'x', '--yes', '--wait', '10s');
  await eventually(() => seven.killed);
  goOn();
  assert.equal((await task).text, 'hi');
  await obeyed;
  await collector.operator('resume', 'ai7', '--yes', '--wait', '10s');
});

test('version 7: a kill holds a run at its start', async () => {
  await collector.operator('kill', 'ai7', '--reason', 'test', '--yes', '--wait', '10s');
  await eventually(() => seven.killed);
  let isDone = false;
  const run = ai7
    .generateText({ model: model4(says('hi')) as never, prompt: 'held' })
    .then(() => (isDone = true));
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(isDone, false);
  await collector.operator('resume', 'ai7', '--yes', '--wait', '10s');
  await run;
});

test('version 6: what has ended well, with its tokens', async () => {
  const model = new MockLanguageModelV3({ doGenerate: async () => says('hi') as never });
  const generate = () => ai6.generateText({ model, prompt: 'hello' });
  await generate();
  await six.task(generate);
  const failing = new MockLanguageModelV3({
    doGenerate: async () => {
      throw new Error('down');
    },
  });
  await assert.rejects(
    six.task(() => ai6.generateText({ model: failing, prompt: 'x', maxRetries: 0 })),
  );
  const total = await counted(collector, 'ai6', 3);
  assert.deepEqual(total, { ok: 2, failed: 1, in: 20, out: 10, nano: 0 });
  assert.deepEqual(six.status().problems, []);
});
