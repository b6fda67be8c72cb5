/** Tasks and waits: counted, timed, and shown while they last. */

import type { Emitter } from './emitter.js';
import { reasonOf } from './problem.js';
import type { TaskNode } from './shared/tasksInFlight.js';

/** Tokens that models have read and written. */
export interface Tokens {
  readonly input?: number | undefined;
  readonly output?: number | undefined;
}

/** A task in flight. It is counted, with its latency, when it ends. */
export class Task {
  // A node in the list of tasks in flight.
  /** @internal */
  before: TaskNode | null = null;
  /** @internal */
  after: TaskNode | null = null;
  /** @internal */
  progressAt = 0;
  readonly #emitter: Emitter;
  readonly #begun: number;
  #hasFailed = false;
  #isOver = false;

  /** @internal */
  constructor(emitter: Emitter, name: string | undefined) {
    this.#emitter = emitter;
    this.#begun = performance.now();
    emitter.tasks.begin(this, this.#begun);
    if (name !== undefined) emitter.activity.step(name);
  }

  /** Adds to the cost, in US dollars. */
  cost(usd: number): void {
    this.#emitter.counters.cost(usd);
  }

  /** Adds tokens that models have read (`input`) and written (`output`). */
  tokens(tokens: Tokens): void {
    if (typeof tokens !== 'object' || tokens === null) {
      this.#emitter.misuse('tokens() takes an object: t.tokens({ input: 900, output: 120 })');
      return;
    }
    this.#emitter.counters.tokens(tokens.input ?? undefined, tokens.output ?? undefined);
  }

  /** Sets the current step of the agent. This counts as progress of this task alone. */
  step(name: string): void {
    this.#emitter.activity.step(String(name));
    if (!this.#isOver) this.#emitter.tasks.step(this, performance.now());
  }

  /** Marks the task as failed; it goes on until it ends. */
  fail(reason?: unknown): void {
    this.#hasFailed = true;
    if (reason !== undefined) this.#emitter.recordFailure(reasonOf(reason));
  }

  /** Ends the task: as failed after {@link fail}, or as `success` says. The first call counts. */
  end(success = true): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const emitter = this.#emitter;
    const now = performance.now();
    if (emitter.isStopped) {
      emitter.loseAfterStop();
    } else {
      emitter.counters.outcome(success && !this.#hasFailed);
      emitter.counters.latency(now - this.#begun);
    }
    emitter.afterTask(emitter.tasks.end(this, now));
  }

  /** Ends what turned out to be no task: it is not counted. @internal */
  discard(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#emitter.afterTask(this.#emitter.tasks.end(this, performance.now()));
  }

  /** Whether the task has ended. */
  get isOver(): boolean {
    return this.#isOver;
  }
}

/** A wait for something outside of the agent, such as a person's approval. */
export class Wait {
  readonly #emitter: Emitter;
  #isOver = false;

  /** @internal */
  constructor(emitter: Emitter, name: string) {
    this.#emitter = emitter;
    emitter.activity.beginWait(this, name);
    emitter.tasks.sharedStep(performance.now());
  }

  /** Ends the wait. The first call counts. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#emitter.activity.endWait(this);
    this.#emitter.tasks.sharedStep(performance.now());
  }
}
