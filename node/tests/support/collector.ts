/** A real collector, with directories of its own, and the command line to ask it. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);
const DEADLINE_MS = 20_000;

/** What `heartline agent NAME --json` says, as far as tests look at it. */
export interface AgentView {
  readonly agent: string;
  readonly state: string;
  readonly reason: string | null;
  readonly in_flight: number;
  readonly step: string | null;
  readonly progress_age_ms: number | null;
  readonly phase: string;
  readonly starts: number;
  readonly group: string | null;
  readonly total: {
    ok: number;
    failed: number;
    cost_nano_usd: number;
    tokens_in: number;
    tokens_out: number;
  };
}

function program(variable: string): string {
  const path = process.env[variable];
  if (path === undefined || path === '') {
    throw new Error(
      `${variable} is not set: build the collector (cargo build) and set HEARTLINED to the path of ` +
        'heartlined and HEARTLINE to that of heartline',
    );
  }
  return path;
}

export class Collector {
  readonly dir = mkdtempSync(join(tmpdir(), 'hl-'));
  #process: ChildProcess | null = null;
  address = '127.0.0.1:0';

  /** Starts a collector; a stall shows after `stallAfter`. */
  static async start(stallAfter = '5m', moreConfig = ''): Promise<Collector> {
    const collector = new Collector();
    writeFileSync(join(collector.dir, 'config.toml'), `[health]\nstall_after = "${stallAfter}"\n${moreConfig}`);
    await collector.restart();
    return collector;
  }

  /** Starts it on the address that it had before. */
  async restart(): Promise<void> {
    const config = join(this.dir, 'config.toml');
    const child = spawn(program('HEARTLINED'), ['--config', config, '--listen', this.address], {
      env: this.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    let errors = '';
    child.stderr?.on('data', (data) => (errors += String(data)));
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      const found = /^ready udp=(\S+)/.exec(line)?.[1];
      if (found === undefined) continue;
      this.address = found;
      child.stdout?.resume();
      return;
    }
    throw new Error(`heartlined did not start: ${errors}`);
  }

  /** Environment of the collector, of its operators, and of agents of the same user. */
  get environment(): Record<string, string> {
    return {
      PATH: process.env['PATH'] ?? '',
      HOME: this.dir,
      XDG_STATE_HOME: join(this.dir, 's'),
      XDG_RUNTIME_DIR: join(this.dir, 'r'),
      HEARTLINE_COLLECTOR: this.address,
      HEARTLINE_INTERVAL: '200ms',
    };
  }

  /** Lets agents in this process find this collector, as its user's agents do. */
  adopt(): void {
    Object.assign(process.env, this.environment);
  }

  get token(): string {
    return readFileSync(join(this.dir, 's/heartline/local.token'), 'utf8').trim();
  }

  async operator(...args: string[]): Promise<string> {
    const { stdout } = await run(program('HEARTLINE'), args, { env: this.environment });
    return stdout;
  }

  async agent(name: string): Promise<AgentView | null> {
    try {
      return JSON.parse(await this.operator('agent', name, '--json')) as AgentView;
    } catch {
      return null;
    }
  }

  async agents(): Promise<AgentView[]> {
    return (JSON.parse(await this.operator('status', '--json')) as { agents: AgentView[] }).agents;
  }

  /** Waits until an agent is as expected; fails with what it was last. */
  async until(name: string, isExpected: (agent: AgentView) => boolean): Promise<AgentView> {
    let last: AgentView | null = null;
    await eventually(
      async () => {
        last = await this.agent(name);
        return last !== null && isExpected(last);
      },
      () => `${name} is ${JSON.stringify(last)}`,
    );
    return last as unknown as AgentView;
  }

  /** Ends it as a crash does. */
  async kill9(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async close(): Promise<void> {
    await this.#end('SIGTERM');
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }
}

/** Waits until a condition holds; fails with `describe` when it does not in time. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  describe: () => string = () => 'the condition does not hold',
): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${describe()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
