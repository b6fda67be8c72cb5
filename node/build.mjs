// Builds the package: the sender's thread as a text, then ESM and CJS with types. With `--tests`,
// also the tests, and with them the examples are checked.

import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { buildSync } from 'esbuild';

process.chdir(import.meta.dirname ?? new URL('.', import.meta.url).pathname);

const SOURCE = 'src/sender/threadSource.ts';

function bundleThread() {
  const { outputFiles } = buildSync({
    entryPoints: ['src/sender/thread.ts'],
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    minifyWhitespace: true,
    minifySyntax: true,
    write: false,
  });
  const text = JSON.stringify(outputFiles[0].text);
  writeFileSync(SOURCE, `// Made by build.mjs.\nexport const THREAD_SOURCE = ${text};\n`);
}

function compile(project) {
  const tsc = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project], {
    stdio: 'inherit',
  });
  if (tsc.status !== 0) process.exit(tsc.status ?? 1);
}

rmSync('dist', { recursive: true, force: true });
bundleThread();
compile('tsconfig.json');
compile('tsconfig.cjs.json');
writeFileSync('dist/cjs/package.json', '{ "type": "commonjs" }\n');
if (process.argv.includes('--tests')) {
  rmSync('build', { recursive: true, force: true });
  compile('tsconfig.tests.json');
  compile('tests/types/tsconfig.json');
}
