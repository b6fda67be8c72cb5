/** The agent's handle of its emitter. */

import { processState, type RunningTask } from './current.js';
import type { Emitter } from './emitter.js';
import { AgentKilled } from './killGate.js';
import { reasonOf } from './problem.js';
import type { Report } from './shared/counters.js';
import type { Status } from './status.js';
import { Task, type Tokens, Wait } from './task.js';

type TaskFunction<T> = (task: Task) => T | PromiseLike<T>;

/** No method throws, except what a task throws itself, and {@link AgentKilled} where it was asked for. */
export class Heartline {
  readonly #emitter: Emitter;

  /** @internal */
  constructor(emitter: Emitter) {
    this.#emitter = emitter;
  }

  /** Id of the agent. */
  get agent(): string {
    return this.#emitter.agent;
  }

  /**
   * Runs a task: it is counted, with its latency, when the function returns or its promise is
   * settled, and has failed if it throws. Returns what the function returns. While the agent is
   * killed the function is not called until it is resumed.
   */
  task<T>(run: TaskFunction<T>): Promise<T>;
  task<T>(name: string, run: TaskFunction<T>): Promise<T>;
  task<T>(nameOrRun: string | TaskFunction<T>, run?: TaskFunction<T>): Promise<T> {
    const [name, call] =
      typeof nameOrRun === 'function' ? [undefined, nameOrRun] : [nameOrRun, run];
    if (typeof call !== 'function') {
      this.#emitter.misuse('task() takes a function: hb.task("fetch", async (t) => { … })');
      return Promise.resolve(undefined as T);
    }
    const task = this.#tryBegin(name);
    return task === null ? this.#runWhenOpen(name, call) : this.#run(task, call);
  }

  /**
   * Runs a task that is done when the function returns. While the agent is killed this blocks the
   * thread, and with it the event loop: for programs that have no other tasks under way.
   */
  taskSync<T>(run: (task: Task) => T): T;
  taskSync<T>(name: string, run: (task: Task) => T): T;
  taskSync<T>(nameOrRun: string | ((task: Task) => T), run?: (task: Task) => T): T {
    const [name, call] =
      typeof nameOrRun === 'function' ? [undefined, nameOrRun] : [nameOrRun, run];
    if (typeof call !== 'function') {
      this.#emitter.misuse('taskSync() takes a function: hb.taskSync("parse", (t) => { … })');
      return undefined as T;
    }
    let task = this.#tryBegin(name);
    while (task === null) {
      if (this.#emitter.onKill === 'raise' || this.#emitter.isStopped) throw new AgentKilled();
      this.#emitter.gate.block();
      task = this.#tryBegin(name);
    }
    try {
      const result = processState().storage.run({ task, handle: this }, call, task);
      task.end();
      return result;
    } catch (error) {
      fail(task, error);
      throw error;
    }
  }

  /** Returns a function that runs this one as a task each time it is called. */
  wrap<A extends unknown[], R>(
    run: (...args: A) => R,
    name?: string,
  ): (...args: A) => Promise<Awaited<R>> {
    const handle = this;
    return function wrapped(this: unknown, ...args: A): Promise<Awaited<R>> {
      const call = (): R => run.apply(this, args);
      const result = name === undefined ? handle.task(call) : handle.task(name, call);
      return result as Promise<Awaited<R>>;
    };
  }

  /**
   * Begins a task that ends by {@link Task.end}, for programs in which begin and end are two
   * callbacks. It does not wait while the agent is killed: look at {@link killed} before, or await
   * {@link resumed}.
   */
  begin(name?: string): Task {
    return new Task(this.#emitter, name);
  }

  /** Counts work that was not a task. */
  report(report: Report = {}): void {
    const emitter = this.#emitter;
    if (typeof report !== 'object' || report === null) {
      emitter.misuse('report() takes an object: hb.report({ success: true, latencyMs: 230 })');
      emitter.counters.lose();
    } else if (emitter.isStopped) {
      emitter.loseAfterStop();
    } else {
      emitter.counters.report(report);
    }
  }

  /**
   * Sets the current step. This counts as progress: of the task that the caller runs in, else of
   * all. An agent that takes no step, and begins and ends no task, for long enough is shown as
   * stalled.
   */
  step(name: string): void {
    const running = processState().storage.getStore();
    if (running !== undefined && running.handle === this) {
      running.task.step(name);
      return;
    }
    this.#emitter.activity.step(String(name));
    this.#emitter.tasks.sharedStep(performance.now());
  }

  /** Reports that the agent waits for something outside of itself, until the function is done. */
  async waiting<T>(name: string, run: () => T | PromiseLike<T>): Promise<T> {
    const wait = this.beginWaiting(name);
    try {
      return await run();
    } finally {
      wait.end();
    }
  }

  /** Begins a wait that ends by {@link Wait.end}. A waiting agent is not shown as stalled. */
  beginWaiting(name: string): Wait {
    return new Wait(this.#emitter, String(name));
  }

  /** Reports the length of the agent's backlog; null: it has none to tell of any more. */
  queue(depth: number | null): void {
    const isCount = typeof depth === 'number' && Number.isInteger(depth) && depth >= 0;
    if (depth === null || isCount)
      this.#emitter.activity.queue(depth && Math.min(depth, 2 ** 32 - 1));
    else this.#emitter.misuse('queue() takes a whole number that is not negative, or null');
  }

  /** Whether the agent is killed, or has used up a budget: no task starts. */
  get killed(): boolean {
    return this.#emitter.holdsTasks();
  }

  /** Returns a promise that is resolved when the agent is not killed. */
  resumed(): Promise<void> {
    return this.#emitter.gate.opened();
  }

  /** Returns the status of the emitter, with its problems. */
  status(): Status {
    return this.#emitter.status();
  }

  /**
   * Stops the emitter: sends a goodbye with the work not sent yet, and waits for its answer, at
   * most a second and a half. Afterwards nothing is counted, and a kill stays in force.
   */
  stop(): Promise<void> {
    return this.#emitter.stop();
  }

  /** Whether the emitter was stopped. */
  get isStopped(): boolean {
    return this.#emitter.isStopped;
  }

  /** Counts tokens and cost that are of no task that is known. @internal */
  countLoose(tokens: Tokens, costUsd: number | undefined): void {
    this.#emitter.counters.tokens(tokens.input, tokens.output);
    if (costUsd !== undefined) this.#emitter.counters.cost(costUsd);
  }

  /** Reports a failure of an adapter, once. @internal */
  reportAdapterFailure(framework: string, error: unknown): void {
    this.#emitter.misuse(`the adapter for ${framework} has failed: ${reasonOf(error)}`);
  }

  /** Whether a task that begins while the agent is killed fails. @internal */
  get raisesWhenKilled(): boolean {
    return this.#emitter.onKill === 'raise';
  }

  /** Begins a task, unless the agent is killed. */
  #tryBegin(name: string | undefined): Task | null {
    const { gate, tasks } = this.#emitter;
    if (this.#emitter.holdsTasks()) return null;
    const task = new Task(this.#emitter, name);
    // Looked at again: a kill from here on counts this task as in flight.
    if (!gate.isClosed) return task;
    this.#emitter.afterTask(tasks.end(task, performance.now()));
    return null;
  }

  async #runWhenOpen<T>(name: string | undefined, run: TaskFunction<T>): Promise<T> {
    for (;;) {
      if (this.#emitter.onKill === 'raise') throw new AgentKilled();
      await this.#emitter.gate.opened();
      const task = this.#tryBegin(name);
      if (task !== null) return this.#run(task, run);
    }
  }

  #run<T>(task: Task, run: TaskFunction<T>): Promise<T> {
    const running: RunningTask = { task, handle: this };
    let result: T | PromiseLike<T>;
    try {
      result = processState().storage.run(running, run, task);
    } catch (error) {
      fail(task, error);
      return Promise.reject(error);
    }
    if (!isPromiseLike(result)) {
      task.end();
      return Promise.resolve(result);
    }
    return Promise.resolve(result).then(
      (value) => {
        task.end();
        return value;
      },
      (error: unknown) => {
        fail(task, error);
        throw error;
      },
    );
  }
}

function fail(task: Task, error: unknown): void {
  task.fail(reasonOf(error));
  task.end(false);
}

function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
