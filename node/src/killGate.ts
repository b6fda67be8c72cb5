/** Closed while the agent is killed: new tasks wait at it, or are refused. */

import { Flag, type SharedMemory } from './shared/memory.js';

/** Error of a task that may not start, where the program chose `onKill: 'raise'`. */
export class AgentKilled extends Error {
  constructor() {
    super('this agent is killed: an operator has to resume it before it starts another task');
    this.name = 'AgentKilled';
  }
}

export class KillGate {
  readonly #memory: SharedMemory;
  #waiters = new Set<() => void>();

  constructor(
    memory: SharedMemory,
    /** Keeps the process alive while anything waits. */
    private readonly keepAlive: (isNeeded: boolean) => void,
  ) {
    this.#memory = memory;
  }

  get isClosed(): boolean {
    return this.#memory.isKilled;
  }

  /** Returns a promise that is resolved when the gate is open. */
  async opened(): Promise<void> {
    while (this.isClosed) {
      await new Promise<void>((resolve) => {
        this.#waiters.add(resolve);
        this.keepAlive(true);
      });
    }
  }

  /** Blocks this thread until the gate is open. */
  block(): void {
    const { flags } = this.#memory;
    Atomics.store(flags, Flag.BlocksForResume, 1);
    while (this.isClosed && !this.#memory.isStopped) Atomics.wait(flags, Flag.Killed, 1, 1_000);
    Atomics.store(flags, Flag.BlocksForResume, 0);
  }

  /** Lets those that wait look again: the agent was resumed. */
  wake(): void {
    const waiters = this.#waiters;
    this.#waiters = new Set();
    this.keepAlive(false);
    for (const resolve of waiters) resolve();
  }

  /** Number of those that wait. */
  get waiting(): number {
    return this.#waiters.size;
  }
}
