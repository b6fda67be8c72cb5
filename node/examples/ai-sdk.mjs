// The AI SDK 7 with a fake model: no network, no key. `node examples/ai-sdk.mjs`
// (Here version 7 is installed as `ai7`; in a program of yours it is `ai`.)

import { generateText, registerTelemetry } from 'ai7';
import { MockLanguageModelV4 } from 'ai7/test';
import { start } from 'heartline';
import { heartlineTelemetry } from 'heartline/ai';

const hb = start('ai-sdk', { interval: '1s' });
registerTelemetry(
  heartlineTelemetry({
    cost: ({ tokensIn = 0, tokensOut = 0 }) => tokensIn * 1e-6 + tokensOut * 5e-6,
  }),
);

const model = new MockLanguageModelV4({
  doGenerate: async () => ({
    content: [{ type: 'text', text: 'A heartbeat is a small signed datagram.' }],
    finishReason: { unified: 'stop', raw: 'stop' },
    usage: { inputTokens: { total: 900 }, outputTokens: { total: 120 } },
    warnings: [],
  }),
});
for (let n = 0; n < 3; n += 1)
  console.log((await generateText({ model, prompt: 'What is a heartbeat?' })).text);
await hb.stop();
