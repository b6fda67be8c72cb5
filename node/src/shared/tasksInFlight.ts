/**
 * The tasks in flight, in the order of their last progress: the first one has been quiet for
 * longest. Its time is in shared memory, so that the sender reports it also while the agent's
 * thread is blocked.
 */

import { Field, Flag, type SharedMemory } from './memory.js';

/** A task in the list. */
export interface TaskNode {
  before: TaskNode | null;
  after: TaskNode | null;
  /** When it began or took its last step. */
  progressAt: number;
}

export class TasksInFlight {
  readonly #flags: Int32Array;
  readonly #fields: Float64Array;
  #last: TaskNode | null = null;

  constructor(memory: SharedMemory) {
    this.#flags = memory.flags;
    this.#fields = memory.fields;
  }

  /** Adds a task; a kill from here on counts it as in flight. */
  begin(task: TaskNode, now: number): void {
    this.#append(task, now);
    this.#progress(now);
    Atomics.add(this.#flags, Flag.InFlight, 1);
  }

  /** Removes a task; returns how many are left. */
  end(task: TaskNode, now: number): number {
    this.#remove(task);
    this.#progress(now);
    return Atomics.sub(this.#flags, Flag.InFlight, 1) - 1;
  }

  /** Records progress of one task. */
  step(task: TaskNode, now: number): void {
    this.#remove(task);
    this.#append(task, now);
    this.#progress(now);
  }

  /** Records progress that may be of any task. */
  sharedStep(now: number): void {
    this.#fields[Field.LastSharedStep] = now;
    this.#progress(now);
  }

  get count(): number {
    return Atomics.load(this.#flags, Flag.InFlight);
  }

  #progress(now: number): void {
    this.#fields[Field.LastProgress] = now;
  }

  #append(task: TaskNode, now: number): void {
    task.progressAt = now;
    task.before = this.#last;
    task.after = null;
    if (this.#last === null) {
      this.#fields[Field.QuietestTask] = now;
    } else {
      this.#last.after = task;
    }
    this.#last = task;
  }

  #remove(task: TaskNode): void {
    const { before, after } = task;
    if (after === null) this.#last = before;
    else after.before = before;
    if (before === null) {
      this.#fields[Field.QuietestTask] = after === null ? 0 : after.progressAt;
    } else {
      before.after = after;
    }
    task.before = null;
    task.after = null;
  }
}
