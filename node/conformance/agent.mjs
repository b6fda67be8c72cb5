// An agent that does what it is told, one JSON object a line, and says at its end what it has counted.
// Its only argument is its name; `cargo xtask conformance` runs it.

import { createInterface } from 'node:readline';

import { start } from '../dist/esm/index.js';

const [name] = process.argv.slice(2);
if (name === undefined) {
  console.error('usage: node conformance/agent.mjs NAME < OPERATIONS');
  process.exit(2);
}
const hb = start(name);
const counted = { ok: 0, failed: 0, cost_nano_usd: 0, tokens_in: 0, tokens_out: 0 };

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === '') continue;
  const it = JSON.parse(line);
  const {
    success = true,
    cost_nano_usd: nano = 0,
    tokens_in: tokensIn = 0,
    tokens_out: tokensOut = 0,
  } = it;
  if (it.op === 'report') {
    const latencyMs = it.latency_us === undefined ? undefined : it.latency_us / 1_000;
    hb.report({ success, latencyMs, costUsd: nano / 1e9, tokensIn, tokensOut });
  } else if (it.op === 'task') {
    await hb.task(async (task) => {
      if (it.step !== undefined) task.step(it.step);
      task.cost(nano / 1e9);
      task.tokens({ input: tokensIn, output: tokensOut });
      if (!success) task.fail();
    });
  } else {
    console.error(`unknown operation ${JSON.stringify(it.op)}`);
    process.exit(2);
  }
  counted[success ? 'ok' : 'failed'] += 1;
  counted.cost_nano_usd += nano;
  counted.tokens_in += tokensIn;
  counted.tokens_out += tokensOut;
}
await hb.stop();
console.log(JSON.stringify({ ...counted, lost_observations: hb.status().lostObservations }));
