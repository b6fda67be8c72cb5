/** The file in which a kill outlives the process, byte for byte as other languages write it. */

import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { AppliedStates } from '../../src/engine/appliedStates.js';
import { KillMemory } from '../../src/killMemory.js';

const FLEET = 'e5e5e5e5';
const GENERATION_MAX = 9223372036854775807n;
const killed = AppliedStates.restored([
  { control: '0000000000000abc', generation: 42, killed: true },
  { control: 'ffffffffffffffff', generation: GENERATION_MAX, killed: false },
]);
const TEXT =
  'heartline 2 control 0000000000000abc generation 42 killed\n' +
  'heartline 2 control ffffffffffffffff generation 9223372036854775807 running\n';

function memory(): { dir: string; memory: KillMemory; path: string } {
  const dir = join(mkdtempSync(join(tmpdir(), 'hl-memory-')), 'agents');
  return {
    dir,
    memory: new KillMemory(dir, 'mail.3'),
    path: join(dir, `mail.3@${FLEET}.desired`),
  };
}

test('what is written is read back, for its owner alone, and no other file is left', () => {
  const { dir, memory: it, path } = memory();
  assert.deepEqual(it.read(FLEET), { applied: AppliedStates.none, problems: [] });
  assert.equal(it.write(FLEET, killed), null);
  assert.equal(readFileSync(path, 'utf8'), TEXT);
  chmodSync(path, 0o666);
  assert.equal(it.write(FLEET, killed), null);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(it.read(FLEET).applied.states, killed.states);
  it.remove('01010101');
  assert.equal(readdirSync(dir).length, 1);
  it.remove(FLEET);
  assert.deepEqual(it.read(FLEET), { applied: AppliedStates.none, problems: [] });
});

test('a fleet reads its own states, and all where it is not known', () => {
  const { dir, memory: it } = memory();
  it.write(FLEET, killed);
  assert.equal(it.read('01010101').applied.isKilled, false);
  assert.equal(it.read(null).applied.isKilled, true);
  assert.equal(new KillMemory(dir, 'mail').read(null).applied.isKilled, false);
});

test('a kill that names no fleet holds, is reported, and ends with the next state', () => {
  const { dir, memory: it } = memory();
  it.write(FLEET, AppliedStates.none.apply({ control: 'ab', generation: 1, killed: false }, null)!);
  const path = join(dir, 'mail.3.desired');
  writeFileSync(path, 'heartline 1 generation 42 killed\n');
  const { applied, problems } = it.read('01010101');
  assert.ok(applied.isKilled);
  assert.deepEqual(
    problems.map(({ kind }) => kind),
    ['UnattributedKill'],
  );
  const resume = { control: 'cd', generation: 1, killed: false };
  const resumed = applied.apply(resume, applied.blockedBy(resume.control)) as AppliedStates;
  assert.equal(resumed.isKilled, false);
  it.write(FLEET, resumed);
  assert.equal(existsSync(path), false);
});

test('a file that was cut anywhere, or is damaged, is reported and counts as absent', () => {
  const { memory: it, path } = memory();
  it.write(FLEET, killed);
  const firstLine = TEXT.indexOf('\n') + 1;
  const above = TEXT.replace('9223372036854775807', '9223372036854775808');
  const cuts = Array.from({ length: TEXT.length }, (_, end) => TEXT.slice(0, end));
  for (const text of [...cuts, above, '\xff\xff', 'x'.repeat(9_000)]) {
    if (text.length === firstLine) continue;
    writeFileSync(path, text, 'latin1');
    const { applied, problems } = it.read(FLEET);
    assert.deepEqual([applied.states, problems.length], [[], 1], JSON.stringify(text));
    assert.match(problems[0]?.message ?? '', /until the collector answers, the agent runs$/);
  }
});
