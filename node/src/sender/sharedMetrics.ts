/** The agent's metrics, as the engine reads them out of shared memory. */

import type { BeatVitals, MetricsSource } from '../engine/metrics.js';
import type { SegmentBuilder } from '../engine/segment.js';
import { Phase } from '../protocol/bodies.js';
import { BUCKETS } from '../protocol/buckets.js';
import { STEP_MAX } from '../protocol/limits.js';
import { scrubTo } from '../protocol/text.js';
import { Field, Flag, type SharedMemory } from '../shared/memory.js';
import { SharedTextReader } from '../shared/sharedText.js';
import type { LoopProbe } from './loopProbe.js';

const UINT32_MAX = 2 ** 32 - 1;
const LOOP_BLOCKED = 'event loop blocked';

/** Reads vitals and work for one collector. */
export class SharedMetrics implements MetricsSource {
  readonly #memory: SharedMemory;
  readonly #loop: LoopProbe;
  readonly #step: SharedTextReader;
  readonly #wait: SharedTextReader;
  readonly #taken = new Float64Array(Field.Latency + BUCKETS);
  #done = 0;
  /** Time of the last beat that found new work: reporting reads no clock. */
  #lastReport = 0;

  constructor(memory: SharedMemory, loop: LoopProbe) {
    this.#memory = memory;
    this.#loop = loop;
    this.#step = new SharedTextReader(memory.flags, Flag.StepVersion, memory.step);
    this.#wait = new SharedTextReader(memory.flags, Flag.WaitVersion, memory.wait);
  }

  vitals(now: number): BeatVitals {
    const { fields, flags } = this.#memory;
    const done = this.#field(Field.Ok) + this.#field(Field.Failed);
    if (done !== this.#done) {
      this.#done = done;
      // The end of a task is dated by the task; this only ever dates it later.
      this.#lastReport = now;
    }
    const lastProgress = Math.max(this.#field(Field.LastProgress), this.#lastReport);
    const tasks = Atomics.load(flags, Flag.InFlight);
    const blockedSince = this.#loop.blockedSince(now);
    const { phase, step } = this.#phaseAndStep(tasks, lastProgress, blockedSince !== null);
    const queue = fields[Field.Queue] as number;
    return {
      phase,
      // Code that keeps the event loop from its turn is a task in flight, whether it is one or not.
      inFlight: Math.min(blockedSince === null ? tasks : Math.max(tasks, 1), UINT32_MAX),
      oldestInFlightMs: this.#oldest(now, blockedSince),
      progressAgeMs: lastProgress === 0 ? null : Math.max(0, now - lastProgress),
      queue: queue < 0 ? null : queue,
      step,
      lostObservations: this.#field(Field.Lost),
    };
  }

  take(segment: SegmentBuilder): boolean {
    segment.ok = this.#takeSum(Field.Ok);
    segment.failed = this.#takeSum(Field.Failed);
    segment.costNanoUsd = this.#takeSum(Field.CostNanoUsd);
    segment.tokensIn = this.#takeSum(Field.TokensIn);
    segment.tokensOut = this.#takeSum(Field.TokensOut);
    const { ok, failed, costNanoUsd, tokensIn, tokensOut } = segment;
    let any = ok + failed + costNanoUsd + tokensIn + tokensOut > 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const at = Field.Latency + bucket;
      const now = this.#field(at);
      const open = now - (this.#taken[at] as number);
      if (open === 0) continue;
      if (!segment.pushLatency(bucket, open)) break;
      this.#taken[at] = now;
      any = true;
    }
    return any;
  }

  #takeSum(field: Field): number {
    const now = this.#field(field);
    const open = now - (this.#taken[field] as number);
    this.#taken[field] = now;
    return open;
  }

  #field(at: number): number {
    return this.#memory.fields[at] as number;
  }

  #oldest(now: number, blockedSince: number | null): number | null {
    const quietest = this.#field(Field.QuietestTask);
    const ofTasks =
      quietest === 0 ? null : now - Math.max(quietest, this.#field(Field.LastSharedStep));
    const ofLoop = blockedSince === null ? null : now - blockedSince;
    if (ofTasks === null && ofLoop === null) return null;
    return Math.max(0, ofTasks ?? 0, ofLoop ?? 0);
  }

  /**
   * Returns the phase, and the name of the step or wait. An agent waits when each of its tasks
   * does: while another one works, what matters is whether that one makes progress.
   */
  #phaseAndStep(tasks: number, lastProgress: number, isBlocked: boolean) {
    const { flags } = this.#memory;
    const waits = Atomics.load(flags, Flag.Waits);
    if (!isBlocked && waits > 0 && waits >= tasks) {
      return { phase: Phase.Waiting, step: this.#wait.read() };
    }
    const hasBegun = Atomics.load(flags, Flag.HasBegun) === 1 || lastProgress > 0;
    const step = this.#step.read();
    const phase = hasBegun ? Phase.Running : Phase.Starting;
    if (!isBlocked) return { phase, step };
    const cut = scrubTo(step ?? '', STEP_MAX - LOOP_BLOCKED.length - 3);
    return { phase, step: step === null ? LOOP_BLOCKED : `${cut} (${LOOP_BLOCKED})` };
  }
}
