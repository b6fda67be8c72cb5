/** Activity that the agent reports: its step, its waits, its backlog. */

import { Field, Flag, type SharedMemory } from './memory.js';
import { SharedTextWriter } from './sharedText.js';

/** Most waits whose names are kept at a time. */
const WAITS_MAX = 64;

export class AgentActivity {
  readonly #memory: SharedMemory;
  readonly #step: SharedTextWriter;
  readonly #wait: SharedTextWriter;
  /** Names of the waits, those begun last at the end. */
  readonly #waits = new Map<object, string>();

  constructor(memory: SharedMemory) {
    this.#memory = memory;
    this.#step = new SharedTextWriter(memory.flags, Flag.StepVersion, memory.step);
    this.#wait = new SharedTextWriter(memory.flags, Flag.WaitVersion, memory.wait);
  }

  /** Sets the name of the current step; the empty text is none. */
  step(name: string): void {
    this.#step.write(name);
    Atomics.store(this.#memory.flags, Flag.HasBegun, 1);
  }

  /** Sets the length of the backlog; null: not told any more. */
  queue(depth: number | null): void {
    this.#memory.fields[Field.Queue] = depth ?? -1;
  }

  beginWait(id: object, name: string): void {
    if (this.#waits.size < WAITS_MAX) this.#waits.set(id, name);
    this.#wait.write(name);
    Atomics.store(this.#memory.flags, Flag.HasBegun, 1);
    Atomics.add(this.#memory.flags, Flag.Waits, 1);
  }

  endWait(id: object): void {
    this.#waits.delete(id);
    Atomics.sub(this.#memory.flags, Flag.Waits, 1);
    this.#wait.write([...this.#waits.values()].at(-1) ?? '');
  }
}
