// Prints what the emitter costs its agent, beside established metric clients of Node, measured in the
// same run. `npm run bench`.

import { createSocket } from 'node:dgram';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

import { start } from '../dist/esm/index.js';
import hotShots from 'hot-shots';
import prom from 'prom-client';

const ROUNDS = 5;
const sink = createSocket('udp4').unref();
await new Promise((resolve) => sink.bind(0, '127.0.0.1', resolve));
const { port } = sink.address();

/** Returns the best of some rounds, in nanoseconds a call. */
function nanosPerCall(calls, run) {
  run(calls / 10);
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const begun = process.hrtime.bigint();
    run(calls);
    best = Math.min(best, Number(process.hrtime.bigint() - begun) / calls);
  }
  return best;
}

async function nanosPerAwait(calls, run) {
  await run(calls / 10);
  const begun = process.hrtime.bigint();
  await run(calls);
  return Number(process.hrtime.bigint() - begun) / calls;
}

const repeat = (call) => (calls) => {
  for (let n = 0; n < calls; n += 1) call(n);
};

const options = {
  collector: `127.0.0.1:${port}`,
  interval: 1_000,
  stateDir: tmpdir(),
  log: () => {},
};
const hb = start('bench', {
  ...options,
  token: process.env.HEARTLINE_TOKEN ?? 'hl1.AQDWY7_eMsMupq8FPr8mQwpVHN6xyZrFnWRSHmvjhH9pve1G5IM',
});
const statsd = new hotShots({
  host: '127.0.0.1',
  port,
  maxBufferSize: 1_000,
  bufferFlushInterval: 1_000,
});
const counter = new prom.Counter({ name: 'tasks', help: 'x', labelNames: ['outcome'] });
const cost = new prom.Counter({ name: 'cost', help: 'x' });
const latency = new prom.Histogram({ name: 'latency', help: 'x' });

const rows = [
  [
    'heartline: report({ success, latencyMs, costUsd, tokensIn, tokensOut })',
    nanosPerCall(
      2e6,
      repeat((n) => {
        hb.report({
          success: n % 16 !== 0,
          latencyMs: n & 1_023,
          costUsd: 0.03,
          tokensIn: 900,
          tokensOut: 120,
        });
      }),
    ),
  ],
  [
    'prom-client: a counter with a label, a histogram, a counter',
    nanosPerCall(
      3e5,
      repeat((n) => {
        counter.inc({ outcome: n % 16 === 0 ? 'failed' : 'ok' });
        latency.observe((n & 1_023) / 1_000);
        cost.inc(0.03);
      }),
    ),
  ],
  [
    'hot-shots, buffered: increment, timing, increment',
    nanosPerCall(
      1e5,
      repeat((n) => {
        statsd.increment(n % 16 === 0 ? 'failed' : 'ok');
        statsd.timing('latency', n & 1_023);
        statsd.increment('cost', 0.03);
      }),
    ),
  ],
  [
    'heartline: begin() and end()',
    nanosPerCall(
      5e5,
      repeat(() => hb.begin().end()),
    ),
  ],
  [
    'heartline: await task(async () => {})',
    await nanosPerAwait(2e5, async (calls) => {
      for (let n = 0; n < calls; n += 1) await hb.task(async () => {});
    }),
  ],
  [
    'await of an async function alone',
    await nanosPerAwait(2e5, async (calls) => {
      const bare = async () => {};
      for (let n = 0; n < calls; n += 1) await bare();
    }),
  ],
];
statsd.close();
await hb.stop();

/** Runs a program that is idle for some seconds; returns its use of memory and CPU. */
function idle(source) {
  const tail =
    'setTimeout(() => { const { user, system } = process.cpuUsage(before); console.log(JSON.stringify({ cpu: (user + system) / 5e6, rss: process.memoryUsage().rss })); process.exit(0); }, 5_000);';
  const path = fileURLToPath(new URL('../dist/esm/index.js', import.meta.url));
  const program = `import { start } from ${JSON.stringify(path)};\n${source}\nawait new Promise((r) => setTimeout(r, 500));\nconst before = process.cpuUsage();\n${tail}`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  return JSON.parse(stdout);
}

const without = idle('');
const beating = idle(
  `start('idle', ${JSON.stringify({ ...options, log: undefined, token: 'hl1.AQDWY7_eMsMupq8FPr8mQwpVHN6xyZrFnWRSHmvjhH9pve1G5IM', replicas: false })});`,
);

for (const [what, nanos] of rows) console.log(`${nanos.toFixed(0).padStart(7)} ns  ${what}`);
const percent = (share) => `${(100 * share).toFixed(2)} %`;
console.log(
  `${percent(beating.cpu - without.cpu).padStart(10)}  CPU of one core for beats of 1 s that nothing answers`,
);
console.log(
  `${((beating.rss - without.rss) / 1e6).toFixed(1).padStart(7)} MB  memory of the sender's thread`,
);
process.exit(0);
