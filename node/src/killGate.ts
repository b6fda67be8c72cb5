/** Closed while the agent is killed, or has used up a budget: new tasks wait at it, or are refused. */

import { Flag, KillBit, type SharedMemory } from './shared/memory.js';

/** Error of a task that may not start, where the program chose `onKill: 'raise'`. */
export class AgentKilled extends Error {
  constructor() {
    super(
      'this agent is killed, or has used up its budget: it has to be resumed before it starts ' +
        'another task',
    );
    this.name = 'AgentKilled';
  }
}

/**
 * Why no task starts: `command`: an operator, or a policy of a collector, has killed the agent;
 * `budget`: a budget is used up, and a collector's kill may follow.
 */
export type KillCause = 'command' | 'budget';

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

  /** Why the gate is closed; of several causes the command. */
  get cause(): KillCause | null {
    const bits = Atomics.load(this.#memory.flags, Flag.Killed);
    if (bits === 0) return null;
    return (bits & KillBit.Command) !== 0 ? 'command' : 'budget';
  }

  /** Closes the gate if a budget is used up; returns whether that has closed it. */
  closeIfSpent(): boolean {
    if (!this.#memory.isSpent) return false;
    return Atomics.or(this.#memory.flags, Flag.Killed, KillBit.Budget) === 0;
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
    for (;;) {
      const bits = Atomics.load(flags, Flag.Killed);
      if (bits === 0 || this.#memory.isStopped) break;
      Atomics.wait(flags, Flag.Killed, bits, 1_000);
    }
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
