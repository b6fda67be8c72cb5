// OpenAI Agents with a fake model: no network, no key. `node examples/openai-agents.mjs`

import {
  addTraceProcessor,
  Agent,
  getCurrentSpan,
  run,
  setTraceProcessors,
  Usage,
} from '@openai/agents';
import { start } from 'heartline';
import { HeartlineTraceProcessor } from 'heartline/openai-agents';

const hb = start('openai-agents', { interval: '1s' });
setTraceProcessors([]); // no exporter: this example has no key
addTraceProcessor(new HeartlineTraceProcessor({}, getCurrentSpan));

const model = {
  async getResponse() {
    const content = [{ type: 'output_text', text: 'A refund is on its way.' }];
    return {
      usage: new Usage({ requests: 1, inputTokens: 900, outputTokens: 120, totalTokens: 1_020 }),
      output: [{ type: 'message', role: 'assistant', status: 'completed', content }],
      responseId: 'r1',
    };
  },
  async *getStreamedResponse() {},
};
const agent = new Agent({ name: 'support', instructions: 'Help.', model });
await hb.resumed(); // a kill can't hold a run by itself here
console.log((await run(agent, 'Where is my order?')).finalOutput);
await hb.stop();
