/**
 * What the adapters have in common: they catch everything themselves, count a run once however many
 * adapters see it, and have bounded memory.
 */

import { current, currentTask, processState } from '../current.js';
import type { Heartline } from '../heartline.js';
import type { Task, Wait } from '../task.js';

/** Call of a model, as a framework has reported it. What is unknown is left out. */
export interface ModelCall {
  readonly model?: string | undefined;
  readonly tokensIn?: number | undefined;
  readonly tokensOut?: number | undefined;
}

export interface AdapterOptions {
  /** Handle of the agent; that of {@link current} when a run begins, if not given. */
  readonly handle?: Heartline | undefined;
  /** Returns the cost of a call in US dollars; undefined where it is unknown. */
  readonly cost?: ((call: ModelCall) => number | undefined) | undefined;
}

/** Most runs, and most waits, that an adapter keeps in mind. */
const RUNS_MAX = 10_000;
/** A run without any event for so long is given up: its end was never told. */
const RUN_AGE_MAX_MS = 3_600_000;

/** Run of an agent, as an adapter sees it. */
export interface Run {
  readonly handle: Heartline;
  /** null: the run is part of a task that is counted by others. */
  readonly task: Task | null;
  touchedAt: number;
}

export class Adapter {
  readonly #runs = new Map<string, Run>();
  readonly #waits = new Map<string, Wait>();

  constructor(
    readonly framework: string,
    private readonly options: AdapterOptions,
    isInside: () => boolean,
  ) {
    processState().adapters.set(framework, { isInside });
  }

  get handle(): Heartline | undefined {
    return this.options.handle ?? current();
  }

  /** Runs a hook; what it throws is reported, and reaches no framework. */
  guard<T>(hook: () => T): T | undefined {
    try {
      return hook();
    } catch (error) {
      this.handle?.reportAdapterFailure(this.framework, error);
      return undefined;
    }
  }

  /** Waits while the agent is killed, unless this is part of a task in flight: that goes on. */
  async hold(): Promise<void> {
    if (this.guard(() => this.isPart()) !== true) await this.handle?.resumed();
  }

  /** Begins a run; inside of a task it becomes a part of that. */
  begin(id: string, step?: string): Run | undefined {
    const { handle } = this;
    if (handle === undefined) return undefined;
    this.#forgetOld();
    const task = this.isPart() ? null : handle.begin();
    if (step !== undefined) this.#step(handle, task, step);
    const run: Run = { handle, task, touchedAt: performance.now() };
    this.#runs.set(id, run);
    return run;
  }

  has(id: string): boolean {
    return this.#runs.has(id);
  }

  run(id: string): Run | undefined {
    return this.#runs.get(id);
  }

  /** Records a step of a run. */
  step(id: string, name: string): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    // Moved to the end: the first ones are those without an event for longest.
    this.#runs.delete(id);
    this.#runs.set(id, run);
    run.touchedAt = performance.now();
    this.#step(run.handle, run.task, name);
  }

  /** Ends a run; as `discarded` it was no task. */
  end(id: string, outcome: 'ok' | 'failed' | 'discarded', reason?: unknown): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    this.#runs.delete(id);
    if (outcome === 'discarded') run.task?.discard();
    if (outcome === 'failed') run.task?.fail(reason);
    run.task?.end();
  }

  /** Counts a call of a model; `costUsd` is what the provider has reported. */
  count(call: ModelCall, costUsd?: number): void {
    const { handle } = this;
    if (handle === undefined) return;
    const cost = costUsd ?? this.guard(() => this.options.cost?.(call));
    handle.countLoose({ input: call.tokensIn, output: call.tokensOut }, cost ?? undefined);
  }

  /** Begins a wait for a person, which a later run of the same key ends. */
  wait(key: string, name: string): void {
    const { handle } = this;
    if (handle === undefined || this.#waits.has(key)) return;
    if (this.#waits.size >= RUNS_MAX) this.endWait(this.#waits.keys().next().value as string);
    this.#waits.set(key, handle.beginWaiting(name));
  }

  endWait(key: string): void {
    this.#waits.get(key)?.end();
    this.#waits.delete(key);
  }

  /** Returns whether this code runs inside of a task that is counted by others. */
  isPart(): boolean {
    return currentTask()?.isOver === false || this.isInsideOther();
  }

  /** Returns whether this code runs inside of a run that another adapter counts. */
  isInsideOther(): boolean {
    for (const [framework, probe] of processState().adapters) {
      if (framework !== this.framework && this.guard(() => probe.isInside()) === true) return true;
    }
    return false;
  }

  #step(handle: Heartline, task: Task | null, name: string): void {
    if (task === null) handle.step(name);
    else task.step(name);
  }

  #forgetOld(): void {
    const oldest = performance.now() - RUN_AGE_MAX_MS;
    for (const [id, { touchedAt }] of this.#runs) {
      if (touchedAt >= oldest && this.#runs.size < RUNS_MAX) return;
      this.end(id, 'discarded');
    }
  }
}

/** Returns whether another adapter than the one for OpenTelemetry sees the runs of a framework. */
export function isCovered(framework: string): boolean {
  return processState().adapters.has(framework);
}

/** Returns a count of tokens, or undefined: unknown is not zero. */
export function tokenCount(value: unknown): number | undefined {
  const count =
    typeof value === 'object' && value !== null ? (value as { total?: unknown }).total : value;
  return typeof count === 'number' && Number.isInteger(count) && count >= 0 ? count : undefined;
}
