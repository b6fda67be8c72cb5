/** Bad settings, and a world that misbehaves: a clear message once, and the agent goes on. */

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { start, type StartOptions } from 'heartline';

import { AgentProcess } from '../support/agentProcess.js';
import { Collector, eventually } from '../support/collector.js';

let collector: Collector;
before(async () => {
  collector = await Collector.start();
  collector.adopt();
});
after(() => collector.close());

test('each bad setting is said once, and the agent works', async () => {
  const cases: [string, unknown, RegExp, string][] = [
    [
      'UPPER',
      {},
      /"UPPER" can't be an agent's name: byte 0 of the agent id \(0x55\) is not one of a-z 0-9 \. _ -/,
      'off',
    ],
    ['', {}, /an agent id must not be empty/, 'off'],
    ['x'.repeat(64), {}, /at most 63 bytes, this one has 64/, 'off'],
    [
      'bad-token',
      { token: 'secret' },
      /a token starts with "hl1\."; make one with `heartline token`/,
      'off',
    ],
    ['cut-token', { token: 'hl1.AQDWY7_eMsMupq8FPr8mQwpV' }, /the token is damaged/, 'off'],
    [
      'no-token',
      { tokenFile: '/nowhere/token' },
      /no token at \/nowhere\/token: start heartlined as the same user/,
      'off',
    ],
    ['scheme', { collector: 'http://here:4327/' }, /has a scheme: write here:4327/, 'off'],
    [
      'too-short',
      { interval: 1 },
      /the interval of 1 ms is outside of 100 ms to 1 h; using 100 ms/,
      'no answer yet',
    ],
    [
      'no-interval',
      { interval: 'soon' },
      /the interval "soon" is not a whole number and a unit/,
      'no answer yet',
    ],
    [
      'stalls-soon',
      { stallAfter: 500 },
      /the stallAfter of 500 ms is outside of 1 s to 720 h; using 1000 ms/,
      'no answer yet',
    ],
    [
      'never-stalls',
      { stallAfter: 0 },
      /the stallAfter "0" is not a whole number and a unit.*using the collector's setting/,
      'no answer yet',
    ],
    ['odd-stall', { stallAfter: {} }, /the option stallAfter is left out/, 'no answer yet'],
    ['nan-interval', { interval: Number.NaN }, /the interval "NaN" is not/, 'no answer yet'],
    [
      'odd-group',
      { group: 7 },
      /the option group is left out: it has to be a text/,
      'no answer yet',
    ],
    ['odd-labels', { labels: { a: 1 } }, /the option labels is left out/, 'no answer yet'],
    ['odd-kill', { onKill: 'panic' }, /the option onKill is left out/, 'no answer yet'],
    ['depends', { dependsOn: ['A'] }, /the dependency "A" is left out/, 'no answer yet'],
    [
      'long-label',
      { labels: { a: 'x'.repeat(1_000) } },
      /the identity is too large/,
      'no answer yet',
    ],
  ];
  for (const [name, options, expected, state] of cases) {
    const warnings: string[] = [];
    const log = (message: string): void => void warnings.push(message);
    const hb = start(name, { collector: collector.address, ...(options as StartOptions), log });
    await eventually(
      () => expected.test(String(hb.status())),
      () => String(hb.status()),
    );
    assert.equal(await hb.task(async () => 'works'), 'works');
    assert.ok(
      String(hb.status()).startsWith(state) || String(hb.status()).startsWith('live'),
      String(hb.status()),
    );
    if (name !== 'no-token')
      assert.equal(warnings.filter((it) => expected.test(it)).length, 1, warnings.join());
    assert.ok(!warnings.join().includes('secret'));
    await hb.stop();
  }
});

test('HEARTLINE_DISABLE sends nothing', () => {
  process.env['HEARTLINE_DISABLE'] = '1';
  const hb = start('disabled');
  delete process.env['HEARTLINE_DISABLE'];
  assert.equal(String(hb.status()), 'off; HEARTLINE_DISABLE is set: nothing is sent');
});

test('a collector that is not there is one warning, and its return ends it', async () => {
  const other = await Collector.start();
  const { address, token } = other;
  await other.kill9();
  const warnings: string[] = [];
  const hb = start('waits-for-it', {
    collector: address,
    token,
    interval: 100,
    log: (it) => warnings.push(it),
  });
  hb.report({ costUsd: 1 });
  await eventually(
    () => hb.status().problems.some(({ kind }) => kind === 'Unanswered'),
    () => String(hb.status()),
  );
  assert.match(
    String(hb.status()),
    /no answer from 127\.0\.0\.1:\d+ for 0 s: is heartlined running there/,
  );
  assert.match(String(hb.status()), /connection refused/);
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.equal(warnings.length, 1, warnings.join('\n'));
  await other.restart();
  await eventually(
    () => hb.status().isHealthy,
    () => String(hb.status()),
  );
  await other.until('waits-for-it', (it) => it.total.ok === 1);
  for (let n = 0; n < 3; n += 1) {
    await other.kill9();
    hb.report({ costUsd: 1 });
    await other.restart();
  }
  await hb.stop();
  const { total } = await other.until('waits-for-it', (it) => it.total.ok === 4);
  assert.equal(total.cost_nano_usd, 4_000_000_000);
  await other.close();
});

test('a name that does not resolve is a problem, and holds up nothing', async () => {
  const hb = start('unresolved', {
    collector: `nowhere.invalid:4327,${collector.address}`,
    interval: 100,
  });
  await eventually(
    () => /can't find the collector nowhere\.invalid:4327: /.test(String(hb.status())),
    () => String(hb.status()),
  );
  await collector.until('unresolved', (it) => it.state === 'healthy');
  await hb.stop();
});

test('a token file that comes later is found', async () => {
  const tokenFile = join(collector.dir, 'later.token');
  const hb = start('token-later', { tokenFile });
  writeFileSync(tokenFile, `${collector.token}\n`);
  await eventually(
    () => hb.status().isHealthy,
    () => String(hb.status()),
  );
  await hb.stop();
});

test('a state directory that is no directory is said, and the kill holds all the same', async () => {
  const stateDir = join(collector.dir, 'a-file');
  writeFileSync(stateDir, 'in its place');
  const warnings: string[] = [];
  const hb = start('no-dir', { stateDir, log: (it) => warnings.push(it) });
  await collector.until('no-dir', (it) => it.state === 'healthy');
  await collector.operator('kill', 'no-dir', '--reason', 'test', '--yes', '--wait', '10s');
  assert.ok(hb.killed);
  await eventually(() =>
    /can't store the desired state at .*it would be lost at a restart/.test(String(hb.status())),
  );
  assert.equal(warnings.length, 1);
  await hb.stop();
});

test('a damaged state file is said, and one of before counts as a kill', async () => {
  const stateDir = join(collector.dir, 'states');
  mkdirSync(stateDir);
  writeFileSync(join(stateDir, 'old-kill.desired'), 'heartline 1 generation 4 killed\n');
  chmodSync(stateDir, 0o700);
  const hb = start('old-kill', { stateDir, log: () => {} });
  assert.ok(hb.killed);
  assert.match(String(hb.status()), /which does not say of which fleet: resume it/);
  await hb.stop();
  const other = await Collector.start();
  const dir = join(other.dir, 's/heartline/agents');
  mkdirSync(dir, { recursive: true });
  const damaged = start('damaged-state', {
    stateDir: dir,
    collector: other.address,
    token: other.token,
    log: () => {},
  });
  await damaged.stop();
  const { agentKeys, parseToken } = await import('../../src/protocol/token.js');
  assert.ok(agentKeys(parseToken(other.token), 'damaged-state'));
  writeFileSync(
    join(dir, `damaged-state@${parseToken(other.token).check}.desired`),
    'heartline 2 control 12',
  );
  const again = start('damaged-state', {
    stateDir: dir,
    collector: other.address,
    token: other.token,
    log: () => {},
  });
  assert.equal(again.killed, false);
  assert.match(
    String(again.status()),
    /can't read the desired state at .*: it is damaged; until the collector answers, the agent runs/,
  );
  await again.stop();
  await other.close();
});

test('datagrams of others change nothing, and are counted', async () => {
  // The emitter's socket is connected: what comes from elsewhere never reaches it. So the flood comes
  // through a proxy, in the collector's own name.
  const front = createSocket('udp4');
  const back = createSocket('udp4');
  await new Promise<void>((resolve) => front.bind(0, '127.0.0.1', resolve));
  const [, port] = collector.address.split(':');
  let emitter = 0;
  front.on('message', (datagram, from) => {
    emitter = from.port;
    back.send(datagram, Number(port), '127.0.0.1');
  });
  back.on('message', (datagram) => front.send(datagram, emitter, '127.0.0.1'));
  const hb = start('flooded', {
    collector: `127.0.0.1:${front.address().port}`,
    token: collector.token,
    interval: 100,
  });
  await eventually(
    () => hb.status().isHealthy,
    () => String(hb.status()),
  );
  const { randomBytes } = await import('node:crypto');
  for (let n = 0; n < 2_000; n += 1) {
    const length = n % 1_400;
    const noise =
      n % 2 === 0
        ? randomBytes(length)
        : Buffer.concat([Buffer.from('HLN1'), Buffer.of(0x81), randomBytes(length)]);
    front.send(noise, emitter, '127.0.0.1');
    if (n % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await eventually(
    () => (hb.status().collectors[0]?.refusedDatagrams ?? 0) > 500,
    () => String(hb.status()),
  );
  hb.report();
  await collector.until('flooded', (it) => it.state === 'healthy' && it.total.ok === 1);
  await hb.stop();
  front.close();
  back.close();
});

test('a process that was stopped and goes on is no blocked event loop, and loses nothing', async () => {
  const agent = new AgentProcess(
    `
    import { start } from 'heartline';
    const hb = start('frozen');
    setInterval(() => hb.report(), 20);
    console.log('up');`,
    collector.environment,
  );
  await agent.printed('up');
  await collector.until('frozen', (it) => it.state === 'healthy');
  agent.signal('SIGSTOP');
  await collector.until('frozen', (it) => it.state !== 'healthy');
  agent.signal('SIGCONT');
  const {
    in_flight: inFlight,
    step,
    starts,
  } = await collector.until('frozen', (it) => it.state === 'healthy');
  assert.deepEqual([inFlight, step, starts], [0, null, 1]);
  agent.signal('SIGTERM');
  await agent.ended();
});
