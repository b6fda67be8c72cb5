/** An agent in a process of its own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { eventually } from './collector.js';

const PACKAGE = join(import.meta.dirname ?? '.', '../../..');

/** Ends an agent whose test was killed; one that hangs in a loop has a limit of its CPU time. */
const ORPHAN_WATCH = `{
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || process.kill(process.pid, 'SIGKILL'), 1_000).unref();
}`;

const RUNNING = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of RUNNING) child.kill('SIGKILL');
});

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class AgentProcess {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  readonly #ended: Promise<Ended>;

  /** Starts a program, given as the text of a module; `import … from 'heartline'` works in it. */
  constructor(source: string, environment: Record<string, string>, nodeArgs: string[] = []) {
    // Within the package, so that it finds this one and the frameworks by their names.
    const dir = join(PACKAGE, 'build/agents');
    mkdirSync(dir, { recursive: true });
    const path = join(mkdtempSync(`${dir}/`), 'agent.mjs');
    writeFileSync(path, `${ORPHAN_WATCH}\n${source}`);
    const command = 'ulimit -t 60; exec "$0" "$@"';
    this.child = spawn('sh', ['-c', command, process.execPath, ...nodeArgs, path], {
      env: environment,
      cwd: PACKAGE,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // A test that fails leaves no process behind.
    RUNNING.add(this.child);
    this.child.once('exit', () => RUNNING.delete(this.child));
    this.child.stdout?.on('data', (data) => (this.stdout += String(data)));
    this.child.stderr?.on('data', (data) => (this.stderr += String(data)));
    this.#ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  /** Waits until it has printed a text. */
  async printed(text: string): Promise<void> {
    await eventually(
      () => this.stdout.includes(text),
      () => `${text} in ${this.stdout}${this.stderr}`,
    );
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  ended(): Promise<Ended> {
    return this.#ended;
  }
}
