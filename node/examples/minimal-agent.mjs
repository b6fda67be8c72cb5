// A small task about five times a second. `node examples/minimal-agent.mjs [NAME]`, with a collector
// (`heartlined`) of the same user running.

import { setTimeout as sleep } from 'node:timers/promises';

import { start } from 'heartline';

const hb = start(process.argv[2] ?? 'minimal-agent', {
  onKill: () => console.log('killed: no new task starts'),
  onResume: () => console.log('resumed'),
});
for (;;) {
  await hb.task('think', async (t) => {
    await sleep(100 + 100 * Math.random());
    t.cost(0.0004);
    t.tokens({ input: 300, output: 40 });
    if (Math.random() < 0.05) t.fail('the model was of two minds');
  });
}
