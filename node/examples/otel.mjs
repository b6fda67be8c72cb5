// OpenTelemetry: the spans of an instrumented framework, here the AI SDK 6. `node examples/otel.mjs`

import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { generateText } from 'ai';
import { MockLanguageModelV3 } from 'ai/test';
import { start } from 'heartline';
import { HeartlineSpanProcessor } from 'heartline/otel';

const hb = start('otel', { interval: '1s' });
new NodeTracerProvider({ spanProcessors: [new HeartlineSpanProcessor()] }).register();

const model = new MockLanguageModelV3({
  doGenerate: async () => ({
    content: [{ type: 'text', text: 'A heartbeat is a small signed datagram.' }],
    finishReason: { unified: 'stop', raw: 'stop' },
    usage: { inputTokens: { total: 900 }, outputTokens: { total: 120 } },
    warnings: [],
  }),
});
const { text } = await generateText({
  model,
  prompt: 'What is a heartbeat?',
  experimental_telemetry: { isEnabled: true },
});
console.log(text);
await hb.stop();
