/** The package as it is installed: both builds, adapters by `auto`, and what types say. */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import * as esm from 'heartline';

import { AgentProcess } from '../support/agentProcess.js';
import { Collector } from '../support/collector.js';
import { counted, startAgent } from '../support/counted.js';

let collector: Collector;
before(async () => {
  collector = await Collector.start();
});
after(() => collector.close());

test('import and require share the agents of a process', async () => {
  const cjs = createRequire(import.meta.url)('heartline') as typeof esm;
  assert.notEqual(cjs.start, esm.start);
  const hb = await startAgent(collector, 'both-builds');
  assert.equal(cjs.start('both-builds'), hb);
  assert.equal(cjs.current(), hb);
  await hb.task(async (t) => assert.equal(cjs.currentTask(), t));
  await hb.stop();
});

test('auto() registers what is installed, once, and a run counts once for all of them', async () => {
  const agent = new AgentProcess(
    `
    import { auto, start } from 'heartline';
    import { generateText } from 'ai';
    import { MockLanguageModelV3 } from 'ai/test';
    import { RunnableLambda } from '@langchain/core/runnables';
    import '@langchain/langgraph';
    import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
    import { HeartlineSpanProcessor } from 'heartline/otel';
    const hb = start('auto');
    new NodeTracerProvider({ spanProcessors: [new HeartlineSpanProcessor()] }).register();
    console.log((await auto()).join(), (await auto()).length);
    const usage = { inputTokens: { total: 10 }, outputTokens: { total: 5 } };
    const model = new MockLanguageModelV3({ doGenerate: async () => ({ content: [{ type: 'text', text: 'hi' }], finishReason: { unified: 'stop', raw: 'stop' }, usage, warnings: [] }) });
    await RunnableLambda.from(async () => generateText({ model, prompt: 'x', experimental_telemetry: { isEnabled: true } })).invoke(1);
    await hb.task(() => generateText({ model, prompt: 'x', experimental_telemetry: { isEnabled: true } }));
    await generateText({ model, prompt: 'x', experimental_telemetry: { isEnabled: true } });
    console.log('problems', hb.status().problems.length);`,
    collector.environment,
  );
  const { stdout, stderr } = await agent.ended();
  assert.equal(stdout, 'ai,langchain,openai-agents 0\nproblems 0\n', stderr);
  assert.deepEqual(await counted(collector, 'auto', 3), {
    ok: 3,
    failed: 0,
    in: 30,
    out: 15,
    nano: 0,
  });
});

test('the conformance agent counts as the collector does', async () => {
  const { spawn } = await import('node:child_process');
  const path = new URL('../../../conformance/agent.mjs', import.meta.url).pathname;
  const child = spawn(process.execPath, [path, 'conforms'], {
    env: collector.environment,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.on('data', (data) => (stdout += String(data)));
  for (let n = 0; n < 500; n += 1) {
    const common = {
      success: n % 3 !== 0,
      cost_nano_usd: n * 1_000_003,
      tokens_in: n,
      tokens_out: 2 * n,
    };
    const operation =
      n % 2 === 0
        ? { op: 'report', latency_us: n * 997, ...common }
        : { op: 'task', step: 'parse', ...common };
    child.stdin.write(`${JSON.stringify(operation)}\n`);
  }
  child.stdin.end();
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 0);
  const said = JSON.parse(stdout) as Record<string, number>;
  const { total } = await collector.until('conforms', (it) => it.reason === 'shutdown');
  const { ok, failed, cost_nano_usd, tokens_in, tokens_out } = total;
  assert.deepEqual(
    { ok, failed, cost_nano_usd, tokens_in, tokens_out, lost_observations: 0 },
    said,
  );
});
