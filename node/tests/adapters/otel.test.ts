/** The span processor, with the spans of the AI SDK and spans as other instrumentations write them. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { context, SpanKind, SpanStatusCode, trace, type Tracer } from '@opentelemetry/api';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { LegacyOpenTelemetry, OpenTelemetry } from '@ai-sdk/otel';
import * as ai6 from 'ai';
import { MockLanguageModelV3 } from 'ai/test';
import * as ai7 from 'ai7';
import { MockLanguageModelV4 } from 'ai7/test';
import type { Heartline } from 'heartline';
import { HeartlineSpanProcessor } from 'heartline/otel';

import { Collector } from '../support/collector.js';
import { counted, startAgent } from '../support/counted.js';

let collector: Collector;
before(async () => {
  collector = await Collector.start();
});
after(() => collector.close());

async function provider(
  name: string,
): Promise<{ hb: Heartline; tracer: (scope: string) => Tracer; provider: NodeTracerProvider }> {
  const hb = await startAgent(collector, name);
  const traced = new NodeTracerProvider({
    spanProcessors: [new HeartlineSpanProcessor({ handle: hb }) as never],
  });
  traced.register();
  return { hb, tracer: (scope) => traced.getTracer(scope), provider: traced };
}

const usage = { inputTokens: { total: 10 }, outputTokens: { total: 5 } };
const says = {
  content: [{ type: 'text', text: 'hi' }],
  finishReason: { unified: 'stop', raw: 'stop' },
  usage,
  warnings: [],
};

test('AI SDK 6 and 7: a task a run, tokens once, failures, nested and parallel ones', async () => {
  const { hb, tracer, provider: traced } = await provider('otel-ai');
  const http = tracer('http').startSpan('GET /', { kind: SpanKind.SERVER });
  const model3 = new MockLanguageModelV3({ doGenerate: async () => says as never });
  const broken3 = new MockLanguageModelV3({
    doGenerate: async () => {
      throw new Error('down');
    },
  });
  const six = (model: MockLanguageModelV3) =>
    ai6.generateText({
      model,
      prompt: 'x',
      maxRetries: 0,
      experimental_telemetry: { isEnabled: true },
    });
  await context.with(trace.setSpan(context.active(), http), () => six(model3));
  http.end();
  await assert.rejects(six(broken3));
  await Promise.all([six(model3), six(model3), six(model3)]);
  assert.deepEqual(await counted(collector, 'otel-ai', 5), {
    ok: 4,
    failed: 1,
    in: 40,
    out: 20,
    nano: 0,
  });
  const model4 = new MockLanguageModelV4({ doGenerate: async () => says as never });
  for (const telemetry of [new OpenTelemetry(), new LegacyOpenTelemetry()]) {
    await ai7.generateText({
      model: model4 as never,
      prompt: 'x',
      telemetry: { integrations: [telemetry as never] },
    });
  }
  assert.deepEqual(await counted(collector, 'otel-ai', 7), {
    ok: 6,
    failed: 1,
    in: 60,
    out: 30,
    nano: 0,
  });
  assert.deepEqual(hb.status().problems, []);
  await hb.stop();
  await traced.shutdown();
});

test('spans of instrumentations that tell their kind late, twice, or below', async () => {
  const { hb, tracer } = await provider('otel-others');
  const within = (span: ReturnType<Tracer['startSpan']>, run: () => void) =>
    context.with(trace.setSpan(context.active(), span), run);
  const call = (scope: string, name: string, attributes: Record<string, string | number>) => {
    const span = tracer(scope).startSpan(name);
    span.setAttributes(attributes);
    span.end();
  };
  // openinference: the kind is set at the end; two instrumentations see one call.
  const chain = tracer('openinference.instrumentation.langchain').startSpan('LangGraph');
  within(chain, () => {
    const response = { 'gen_ai.response.id': 'r1' };
    const outer = tracer('openinference.instrumentation.langchain').startSpan('ChatOpenAI');
    within(outer, () =>
      call('opentelemetry.instrumentation.openai', 'openai.chat', {
        ...response,
        'gen_ai.operation.name': 'chat',
        'gen_ai.usage.input_tokens': 10,
        'gen_ai.usage.output_tokens': 5,
      }),
    );
    outer.setAttributes({
      'openinference.span.kind': 'LLM',
      'llm.token_count.prompt': 10,
      'llm.token_count.completion': 5,
    });
    outer.end();
    call('opentelemetry.instrumentation.openai', 'openai.chat', {
      'gen_ai.response.id': 'r2',
      'gen_ai.operation.name': 'chat',
      'gen_ai.usage.input_tokens': 1,
      'gen_ai.usage.output_tokens': 2,
    });
  });
  chain.setAttribute('openinference.span.kind', 'CHAIN');
  chain.end();
  // openai-agents: only the agent below the root has failed.
  const workflow = tracer('openinference.instrumentation.openai_agents').startSpan(
    'Agent workflow',
    { attributes: { 'openinference.span.kind': 'AGENT' } },
  );
  within(workflow, () => {
    const agent = tracer('openinference.instrumentation.openai_agents').startSpan('bad', {
      attributes: { 'openinference.span.kind': 'AGENT' },
    });
    agent.setStatus({ code: SpanStatusCode.ERROR });
    agent.end();
  });
  workflow.end();
  // A lone call and a lone tool are no tasks; the tokens of the call count.
  call('opentelemetry.instrumentation.openai', 'openai.chat', {
    'gen_ai.operation.name': 'chat',
    'gen_ai.usage.input_tokens': 100,
  });
  call('any', 'execute_tool look', { 'gen_ai.operation.name': 'execute_tool' });
  call('http', 'GET /', {});
  const total = await counted(collector, 'otel-others', 2);
  assert.deepEqual(total, { ok: 1, failed: 1, in: 111, out: 7, nano: 0 });
  assert.deepEqual(hb.status().problems, []);
  await hb.stop();
});
