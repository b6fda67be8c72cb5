// Workers of a cluster are replicas: `web.1`, `web.2`. `node examples/cluster.mjs`

import cluster from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';

import { start } from 'heartline';

if (cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
} else {
  const hb = start('web', { interval: '1s' });
  console.log(`worker ${process.pid} is ${hb.agent}`);
  for (let n = 0; n < 10; n += 1) await hb.task(() => sleep(200));
  await hb.stop();
  process.exit();
}
