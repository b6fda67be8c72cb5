/** Kill and resume. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { AgentKilled, start } from 'heartline';

import { AgentProcess } from '../support/agentProcess.js';
import { Collector, eventually } from '../support/collector.js';

let collector: Collector;
before(async () => {
  collector = await Collector.start();
  collector.adopt();
});
after(() => collector.close());

const kill = (name: string) =>
  collector.operator('kill', name, '--reason', 'test', '--yes', '--wait', '10s');
const storedFiles = (name: string) => {
  const dir = join(collector.dir, 's/heartline/agents');
  const files = readdirSync(dir).filter((it) => it.startsWith(`${name}@`));
  return files.map((file) => join(dir, file));
};
const storedStates = (name: string) =>
  storedFiles(name)
    .map((file) => readFileSync(file, 'utf8'))
    .join('');
const resume = (name: string) => collector.operator('resume', name, '--yes', '--wait', '10s');

test('a task waits while the agent is killed, and one in flight goes on', async () => {
  const calls: string[] = [];
  const hb = start('waits-for-resume', {
    onKill: () => {
      calls.push('killed');
      throw new Error('of the hook');
    },
    onResume: async () => {
      calls.push('resumed');
      throw new Error('of the other hook');
    },
    log: (message) => calls.push(message),
  });
  await collector.until('waits-for-resume', (it) => it.state === 'healthy');
  let release = () => {};
  const inFlight = hb.task(
    () => new Promise<string>((resolve) => (release = () => resolve('went on'))),
  );
  const obeyed = kill('waits-for-resume');
  await eventually(() => hb.killed);
  let hasRun = false;
  const held = hb.task(async () => {
    hasRun = true;
    return 'after the resume';
  });
  release();
  assert.equal(await inFlight, 'went on');
  await obeyed;
  assert.equal(hasRun, false);
  await resume('waits-for-resume');
  assert.equal(await held, 'after the resume');
  await hb.resumed();
  await eventually(
    () => calls.length === 4,
    () => calls.join(),
  );
  assert.deepEqual(calls, [
    'killed',
    'the function given as onKill has thrown: of the hook',
    'resumed',
    'the function given as onResume has thrown: of the other hook',
  ]);
  await hb.stop();
});

test('a task is refused where the program chose so', async () => {
  const hb = start('raises', { onKill: 'raise' });
  await collector.until('raises', (it) => it.state === 'healthy');
  await kill('raises');
  await assert.rejects(
    hb.task(async () => assert.fail('it must not run')),
    AgentKilled,
  );
  assert.throws(() => hb.taskSync(() => assert.fail('it must not run')), AgentKilled);
  assert.match(storedStates('raises'), / killed\n$/);
  await resume('raises');
  await hb.resumed();
  assert.doesNotMatch(storedStates('raises'), /killed/, 'a process that is started now works');
  assert.equal(await hb.task(async () => 1), 1);
  await hb.stop();
});

test('a kill outlives the process, and a resume ends it', async () => {
  const source = `
    import { start } from 'heartline';
    const hb = start('remembers');
    await hb.task(async () => console.log('task ran'));
    await new Promise((resolve) => setTimeout(resolve, 60_000));`;
  const first = new AgentProcess(source, collector.environment);
  await first.printed('task ran');
  await collector.until('remembers', (it) => it.state === 'healthy');
  await kill('remembers');
  first.signal('SIGKILL');
  await first.ended();
  assert.match(
    storedStates('remembers'),
    /^heartline 2 control [0-9a-f]{16} generation 1 killed\n$/,
  );
  assert.equal(storedFiles('remembers').length, 1);
  for (const file of storedFiles('remembers')) assert.equal(statSync(file).mode & 0o777, 0o600);
  await collector.kill9();
  const second = new AgentProcess(source, collector.environment);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await collector.restart();
  await collector.until('remembers', (it) => it.state === 'killed' && it.starts === 2);
  assert.equal(second.stdout, '');
  await resume('remembers');
  await second.printed('task ran');
  second.signal('SIGKILL');
  await second.ended();
});

test('a thread that blocks until it is resumed is no blocked event loop', async () => {
  const agent = new AgentProcess(
    `
    import { start } from 'heartline';
    const hb = start('blocks');
    hb.taskSync(() => console.log('first'));
    while (!hb.killed) await new Promise((resolve) => setTimeout(resolve, 10));
    hb.taskSync(() => console.log('second'));
    await hb.stop();`,
    collector.environment,
  );
  await agent.printed('first');
  await collector.until('blocks', (it) => it.state === 'healthy');
  await kill('blocks');
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const { in_flight: inFlight, step } = await collector.until(
    'blocks',
    (it) => it.state === 'killed',
  );
  assert.deepEqual([inFlight, step], [0, null]);
  await resume('blocks');
  const { code, stdout } = await agent.ended();
  assert.deepEqual([code, stdout], [0, 'first\nsecond\n']);
});
