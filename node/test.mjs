// Builds, and runs every test. The real collector is needed: HEARTLINED and HEARTLINE are the paths of
// `heartlined` and `heartline`.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('.', import.meta.url)));

for (const variable of ['HEARTLINED', 'HEARTLINE']) {
  const path = process.env[variable];
  if (path === undefined || !existsSync(path)) {
    console.error(`${variable} ${path === undefined ? 'is not set' : `names no file: ${path}`}.`);
    console.error(
      'The tests need a real collector: run `cargo build`, and set HEARTLINED to the path of',
    );
    console.error(
      'heartlined and HEARTLINE to the path of heartline, such as "$PWD/target/debug/heartline".',
    );
    process.exit(1);
  }
}

function run(args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

function testFiles(dir) {
  return readdirSync(dir, { recursive: true })
    .filter((name) => name.endsWith('.test.js'))
    .map((name) => join(dir, name))
    .sort();
}

run(['build.mjs', '--tests']);
const options = [
  '--test-concurrency=4',
  '--test-timeout=120000',
  '--test-force-exit',
  '--test-reporter=spec',
];
run(['--test', ...options, ...process.argv.slice(2), ...testFiles('build/tests')]);
