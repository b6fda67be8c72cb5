/** Worker threads, cluster workers and forked children are replicas. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { AgentProcess } from '../support/agentProcess.js';
import { Collector } from '../support/collector.js';

let collector: Collector;
before(async () => {
  collector = await Collector.start();
});
after(() => collector.close());

async function namesOf(prefix: string): Promise<string[]> {
  const agents = await collector.agents();
  return agents
    .map(({ agent }) => agent)
    .filter((it) => it.startsWith(prefix))
    .sort();
}

test('cluster workers have numbers, and a replacement takes the one that is free', async () => {
  const agent = new AgentProcess(
    `
    import cluster from 'node:cluster';
    import { start } from 'heartline';
    if (cluster.isPrimary) {
      const workers = [cluster.fork(), cluster.fork()];
      cluster.fork({ SILENT: '1' });
      let ready = 0;
      cluster.on('message', (worker, message) => {
        console.log(message);
        if (++ready === 2) workers[0].process.kill('SIGTERM');
      });
      workers[0].on('exit', () => cluster.fork());
    } else if (process.env.SILENT) {
      setInterval(() => {}, 1_000);
    } else {
      const hb = start('web');
      hb.report();
      while (!hb.status().isHealthy) await new Promise((resolve) => setTimeout(resolve, 10));
      process.send('up ' + hb.agent);
      setInterval(() => {}, 1_000);
    }`,
    collector.environment,
  );
  await agent.printed('up web.1');
  await agent.printed('up web.2');
  const restarted =
    (await collector.until('web.1', (it) => it.starts === 2).catch(() => null)) ??
    (await collector.until('web.2', (it) => it.starts === 2));
  assert.equal(restarted.group, 'web');
  assert.deepEqual(await namesOf('web'), ['web.1', 'web.2']);
  agent.signal('SIGTERM');
  await agent.ended();
});

test('a child that is forked by an agent is a replica, and so is its thread; other children are not', async () => {
  const agent = new AgentProcess(
    `
    import { fork } from 'node:child_process';
    import { Worker, isMainThread } from 'node:worker_threads';
    import { fileURLToPath } from 'node:url';
    import { start } from 'heartline';
    const role = process.argv[2] ?? 'parent';
    if (role === 'other') {
      const hb = start('stranger');
      console.log('other ' + hb.agent);
      await hb.stop();
    } else {
      const hb = start('mail');
      hb.report();
      console.log((isMainThread ? role : 'thread') + ' ' + hb.agent);
      if (role === 'parent') {
        fork(fileURLToPath(import.meta.url), ['child']);
        fork(fileURLToPath(import.meta.url), ['other']);
        setInterval(() => {}, 1_000);
      } else if (isMainThread) {
        new Worker(fileURLToPath(import.meta.url), { argv: ['child'] });
        setTimeout(() => {}, 2_000);
      } else {
        setTimeout(() => {}, 500);
      }
    }`,
    collector.environment,
  );
  await agent.printed('parent mail\n');
  await agent.printed('child mail.1');
  await agent.printed('thread mail.2');
  await agent.printed('other stranger\n');
  for (const name of ['mail', 'mail.1', 'mail.2'])
    await collector.until(name, (it) => it.total.ok === 1);
  for (const name of ['mail.1', 'mail.2', 'stranger'])
    await collector.until(name, (it) => it.reason === 'shutdown');
  agent.signal('SIGTERM');
  await agent.ended();
});

test('a token that does not cover the replica is said, with what to do', async () => {
  const token = (await collector.operator('token', '--agent', 'narrow'))
    .trim()
    .split('\n')
    .at(-1) as string;
  const agent = new AgentProcess(
    `
    import { Worker, isMainThread } from 'node:worker_threads';
    import { fileURLToPath } from 'node:url';
    import { start } from 'heartline';
    if (isMainThread) new Worker(fileURLToPath(import.meta.url));
    else console.log(String(start('narrow').status()));`,
    { ...collector.environment, HEARTLINE_TOKEN: token },
  );
  const { stdout } = await agent.ended();
  assert.match(stdout, /the token is for scope "narrow", which does not cover agent "narrow\.1"/);
});
