// LangGraph with a fake model: no network, no key. `node examples/langgraph.mjs`

import { AIMessage } from '@langchain/core/messages';
import { FakeListChatModel } from '@langchain/core/utils/testing';
import {
  Annotation,
  Command,
  END,
  interrupt,
  MemorySaver,
  START,
  StateGraph,
} from '@langchain/langgraph';
import { start } from 'heartline';
import { heartlineHandler } from 'heartline/langchain';

class FakeModel extends FakeListChatModel {
  async _generate(...args) {
    const result = await super._generate(...args);
    const usage_metadata = { input_tokens: 900, output_tokens: 120, total_tokens: 1_020 };
    result.generations[0].message = new AIMessage({ content: 'a refund', usage_metadata });
    return result;
  }
}

const hb = start('langgraph', { interval: '1s' });
const model = new FakeModel({ responses: ['a refund'] });
const graph = new StateGraph(Annotation.Root({ answer: Annotation() }))
  .addNode('plan', async () => ({ answer: (await model.invoke('what now?')).content }))
  .addNode('approve', () => ({ answer: interrupt('may I?') }))
  .addEdge(START, 'plan')
  .addEdge('plan', 'approve')
  .addEdge('approve', END)
  .compile({ checkpointer: new MemorySaver() });

const config = { configurable: { thread_id: 'order-7' }, callbacks: [heartlineHandler()] };
await graph.invoke({}, config);
console.log('interrupted: heartline shows WAITING');
await new Promise((resolve) => setTimeout(resolve, 1_500));
console.log(await graph.invoke(new Command({ resume: 'yes' }), config));
await hb.stop();
