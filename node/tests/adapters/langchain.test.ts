/** LangChain.js and LangGraph, with a fake model. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import * as context from '@langchain/core/context';
import { AIMessage } from '@langchain/core/messages';
import { RunnableLambda } from '@langchain/core/runnables';
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
import { AgentKilled, type Heartline, start } from 'heartline';
import { heartlineHandler, registerLangChain } from 'heartline/langchain';

import { Collector, eventually } from '../support/collector.js';
import { counted, startAgent } from '../support/counted.js';

class CountingModel extends FakeListChatModel {
  override async _generate(...args: Parameters<FakeListChatModel['_generate']>) {
    const result = await super._generate(...args);
    const usage = { input_tokens: 7, output_tokens: 3, total_tokens: 10 };
    for (const generation of result.generations) {
      generation.message = new AIMessage({
        content: 'hi',
        usage_metadata: usage,
        response_metadata: { model_name: 'fake-1' },
      } as never);
    }
    return result;
  }
}

const State = Annotation.Root({ text: Annotation<string> });
const model = new CountingModel({ responses: ['hi'] });

function graph(work: (state: typeof State.State) => unknown) {
  return new StateGraph(State)
    .addNode('work', async (state) => {
      await work(state);
      return { text: 'done' };
    })
    .addEdge(START, 'work')
    .addEdge('work', END)
    .compile({ checkpointer: new MemorySaver() });
}

let collector: Collector;
let hb: Heartline;
before(async () => {
  collector = await Collector.start();
  hb = await startAgent(collector, 'langchain');
});
after(async () => {
  await hb.stop();
  await collector.close();
});

test('runs, nested runs, failures, tokens, interrupts', async () => {
  const models: (string | undefined)[] = [];
  const handler = heartlineHandler({
    handle: hb,
    cost: (call) => {
      models.push(call.model);
      return 0.5;
    },
  });
  let threads = 0;
  const config = (thread = `t${++threads}`) => ({
    callbacks: [handler as never],
    configurable: { thread_id: thread },
  });
  await graph(() => model.invoke('hello')).invoke({ text: '' }, config());
  const inner = graph(() => model.invoke('inner'));
  await graph(() => inner.invoke({ text: '' })).invoke({ text: '' }, config());
  await assert.rejects(
    graph(() => {
      throw new Error('node broke');
    }).invoke({ text: '' }, config()),
    /node broke/,
  );
  assert.match(hb.status().lastFailure ?? '', /node broke/);
  await model.invoke('bare', { callbacks: [handler as never] });
  await RunnableLambda.from(async (n: number) => n + 1).batch([1, 2], {
    callbacks: [handler as never],
  });
  const first = await counted(collector, 'langchain', 6);
  assert.deepEqual(first, { ok: 5, failed: 1, in: 21, out: 9, nano: 1_500_000_000 });
  assert.deepEqual(models, ['fake-1', 'fake-1', 'fake-1']);
  const asking = graph(() => interrupt('may I?'));
  await asking.invoke({ text: '' }, config('asks'));
  await collector.until('langchain', (it) => it.phase === 'waiting' && it.step === 'an interrupt');
  await asking.invoke(new Command({ resume: 'yes' }), config('asks'));
  await collector.until('langchain', (it) => it.phase === 'running');
  const { ok, failed } = await counted(collector, 'langchain', 8);
  assert.deepEqual([ok, failed], [7, 1]);
  assert.deepEqual(hb.status().problems, []);
});

test('a kill holds a run at its start, or refuses it', async () => {
  await collector.operator('kill', 'langchain', '--reason', 'test', '--yes', '--wait', '10s');
  await eventually(() => hb.killed);
  const handler = heartlineHandler({ handle: hb });
  let hasRun = false;
  const run = graph(() => {
    hasRun = true;
  }).invoke({ text: '' }, { callbacks: [handler as never], configurable: { thread_id: 'k' } });
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(hasRun, false);
  await collector.operator('resume', 'langchain', '--yes', '--wait', '10s');
  await run;
  const raising = start('langchain-raises', {
    collector: collector.address,
    token: collector.token,
    interval: 100,
    stateDir: collector.dir,
    onKill: 'raise',
  });
  await collector.until('langchain-raises', (it) => it.state === 'healthy');
  await collector.operator(
    'kill',
    'langchain-raises',
    '--reason',
    'test',
    '--yes',
    '--wait',
    '10s',
  );
  await eventually(() => raising.killed);
  const refused = heartlineHandler({ handle: raising });
  await assert.rejects(
    graph(() => assert.fail('it must not run')).invoke(
      { text: '' },
      { callbacks: [refused as never], configurable: { thread_id: 'r' } },
    ),
    (error: Error) => error instanceof AgentKilled || error.name === 'AgentKilled',
  );
  await raising.stop();
});

test('a handler that is registered once sees every run', async () => {
  const all = await startAgent(collector, 'langchain-all');
  registerLangChain(context as never, { handle: all });
  await RunnableLambda.from(async () => model.invoke('x')).invoke(1);
  await graph(() => model.invoke('y')).invoke({ text: '' }, { configurable: { thread_id: 'g' } });
  assert.deepEqual(await counted(collector, 'langchain-all', 2), {
    ok: 2,
    failed: 0,
    in: 14,
    out: 6,
    nano: 0,
  });
  await all.stop();
});

test('an adapter that fails breaks nothing, and says so once', async () => {
  const broken = await startAgent(collector, 'langchain-broken');
  const handler = heartlineHandler({
    handle: broken,
    cost: () => {
      throw new Error('no price');
    },
  });
  await model.invoke('x', { callbacks: [handler as never] });
  await model.invoke('x', { callbacks: [handler as never] });
  assert.deepEqual(
    broken.status().problems.map(({ message }) => message),
    ['the adapter for langchain has failed: no price'],
  );
  await broken.stop();
});
