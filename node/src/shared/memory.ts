/**
 * Memory that the agent's thread and the sender's thread share.
 *
 * Each field has one writer. Counters are doubles that only grow: the sender takes differences, so
 * nothing is reset and no lock is needed. An aligned double is written and read by one instruction
 * on every 64-bit platform of Node, so none is read half-written.
 */

import { BUCKETS } from '../protocol/buckets.js';
import { STEP_MAX } from '../protocol/limits.js';

/** Flags, as 32-bit integers that are read and written atomically. */
export const enum Flag {
  /** A bit for each {@link KillBit} that keeps tasks from starting. */
  Killed = 0,
  /** Written by the agent: a {@link StopRequest}. */
  StopRequest = 1,
  /** Written by the sender: 1 once it has stopped. */
  Stopped = 2,
  /** Written by the agent: tasks begun and not ended. */
  InFlight = 3,
  /** Written by the agent: waits for something outside of it. */
  Waits = 4,
  /** Written by the agent: 1 once it has begun anything. */
  HasBegun = 5,
  /** Written by the agent: 1 while it blocks its own thread until it is resumed. */
  BlocksForResume = 6,
  /** Written by the agent: odd while it writes a text. */
  StepVersion = 7,
  WaitVersion = 8,
  /** Written by the agent's event loop: number of the newest ping that it has seen. */
  Pong = 9,
  Count = 16,
}

/** Causes that keep tasks from starting. */
export const enum KillBit {
  /** Written by the sender: the agent is killed. */
  Command = 1,
  /** Written by the agent when a budget is used up, and by the sender. */
  Budget = 2,
}

/** Numbers, as doubles. */
export const enum Field {
  Ok = 0,
  Failed = 1,
  CostNanoUsd = 2,
  TokensIn = 3,
  TokensOut = 4,
  Lost = 5,
  /** When a task last began or ended, or a step was taken; 0: never. */
  LastProgress = 6,
  /** When the task in flight that has been quiet for longest began or took its last step; 0: none. */
  QuietestTask = 7,
  /** When a step was last taken that may be of any task. */
  LastSharedStep = 8,
  /** Length of the backlog; -1: not told. */
  Queue = 9,
  /** Written by the sender: sums at which a budget is used up; infinite: none. */
  TasksLimit = 10,
  TokensLimit = 11,
  CostLimit = 12,
  /** Of each collector: when it last answered (0: never), and what was refused of it. */
  LastAnswer = 16,
  Refused = 24,
  Latency = 32,
}

export const enum StopRequest {
  None = 0,
  WithGoodbye = 1,
  /** Without a goodbye: the agent has crashed, and the collector should find it missing. */
  Silent = 2,
}

/** Byte of a text's length, before its bytes. */
const TEXT_BYTES = STEP_MAX + 1;

export class SharedMemory {
  readonly flags: Int32Array;
  readonly fields: Float64Array;
  readonly step: Uint8Array;
  readonly wait: Uint8Array;

  constructor(readonly buffer: SharedArrayBuffer = SharedMemory.allocate()) {
    const fieldsAt = Flag.Count * Int32Array.BYTES_PER_ELEMENT;
    const fieldCount = Field.Latency + BUCKETS;
    const textsAt = fieldsAt + fieldCount * Float64Array.BYTES_PER_ELEMENT;
    this.flags = new Int32Array(buffer, 0, Flag.Count);
    this.fields = new Float64Array(buffer, fieldsAt, fieldCount);
    this.step = new Uint8Array(buffer, textsAt, TEXT_BYTES);
    this.wait = new Uint8Array(buffer, textsAt + TEXT_BYTES, TEXT_BYTES);
  }

  private static allocate(): SharedArrayBuffer {
    const fields = (Field.Latency + BUCKETS) * Float64Array.BYTES_PER_ELEMENT;
    const memory = new SharedArrayBuffer(
      Flag.Count * Int32Array.BYTES_PER_ELEMENT + fields + 2 * TEXT_BYTES,
    );
    const { fields: numbers } = new SharedMemory(memory);
    numbers[Field.Queue] = -1;
    numbers.fill(Infinity, Field.TasksLimit, Field.CostLimit + 1);
    return memory;
  }

  get isKilled(): boolean {
    return Atomics.load(this.flags, Flag.Killed) !== 0;
  }

  /** Whether a budget is used up. */
  get isSpent(): boolean {
    const at = (field: Field) => this.fields[field] as number;
    return (
      at(Field.Ok) + at(Field.Failed) >= at(Field.TasksLimit) ||
      at(Field.CostNanoUsd) >= at(Field.CostLimit) ||
      at(Field.TokensIn) + at(Field.TokensOut) >= at(Field.TokensLimit)
    );
  }

  get isStopped(): boolean {
    return Atomics.load(this.flags, Flag.Stopped) === 1;
  }
}
