/** Bodies that an emitter writes and reads (`SPEC.md`, section 7). */

import { GENERATION_MAX } from './limits.js';
import { BodyError, BodyReader, type BodyWriter } from './msgpack.js';
import { toUint, type Uint } from './uint.js';

export const enum Phase {
  Starting = 0,
  Running = 1,
  Waiting = 2,
  Stopping = 3,
}

/** Random number of a collector's database, as 16 hexadecimal digits. */
export type ControlId = string;

/** Desired state of an agent, as one control id has it. */
export interface DesiredState {
  readonly control: ControlId | null;
  readonly generation: Uint;
  readonly killed: boolean;
}

export interface Segment {
  readonly number: number;
  readonly ok: number;
  readonly failed: number;
  readonly costNanoUsd: number;
  readonly tokensIn: number;
  readonly tokensOut: number;
  /** Packed histogram. */
  readonly latency: Uint8Array;
}

export interface Identity {
  readonly host?: string;
  readonly group?: string;
  readonly version?: string;
  readonly framework?: string;
  readonly sdk?: string;
  readonly pid?: number;
  readonly labels: readonly (readonly [string, string])[];
  readonly depends: readonly string[];
}

export interface Beat {
  readonly intervalMs: number;
  readonly uptimeMs: Uint;
  readonly phase: Phase;
  readonly inFlight: number;
  readonly oldestInFlightMs: Uint | null;
  readonly progressAgeMs: Uint | null;
  readonly queue: number | null;
  readonly step: string | null;
  readonly applied: DesiredState;
  readonly blockedBy: ControlId | null;
  readonly lostObservations: Uint;
  readonly segment: Segment | null;
  readonly identity: Identity | null;
  readonly stallAfterMs: number | null;
}

export interface Goodbye {
  readonly uptimeMs: Uint;
  readonly segment: Segment | null;
}

export interface Ack {
  readonly durableSegment: Uint;
  readonly desired: DesiredState;
  readonly unconfirmed: boolean;
  readonly wantsIdentity: boolean;
  readonly sessionTaken: boolean;
  readonly lifts: ControlId | null;
  /** 0: not said. */
  readonly highestSequence: Uint;
  readonly budget: BudgetLeft | null;
}

/** What a budget limits (12.1), and its number on the wire. */
export const BUDGET_UNITS = { tasks: 1, tokens: 2, cost: 3 } as const;
export type BudgetUnit = keyof typeof BUDGET_UNITS;

/** What is left of the tightest budget. */
export interface BudgetLeft {
  readonly unit: BudgetUnit;
  /** In tasks, tokens or nano-dollars. */
  readonly left: Uint;
  /** It is left after the segment that follows the durable one. */
  readonly countsPending: boolean;
}

export interface Push {
  readonly desired: DesiredState;
  readonly lifts: ControlId | null;
}

export function writeBeat(writer: BodyWriter, beat: Beat): Buffer {
  writer.begin();
  writer.element().uint(beat.intervalMs);
  writer.element().uint(beat.uptimeMs);
  writer.element().uint(beat.phase);
  writer.element().uint(beat.inFlight);
  writeOptional(writer, beat.oldestInFlightMs);
  writeOptional(writer, beat.progressAgeMs);
  writeOptional(writer, beat.queue);
  if (beat.step === null) writer.element().nil();
  else writer.element().text(beat.step);
  writer.element().uint(beat.applied.generation);
  writer.element().uint(beat.applied.killed ? 1 : 0);
  writeControl(writer, beat.applied.control);
  writeControl(writer, beat.blockedBy);
  writer.element().uint(beat.lostObservations);
  writeSegment(writer, beat.segment);
  if (beat.identity !== null) writeIdentity(writer.element(), beat.identity);
  else if (beat.stallAfterMs !== null) writer.element().nil();
  if (beat.stallAfterMs !== null) writer.element().uint(beat.stallAfterMs);
  return writer.finish();
}

export function writeGoodbye(writer: BodyWriter, goodbye: Goodbye): Buffer {
  writer.begin();
  writer.element().uint(goodbye.uptimeMs);
  writeSegment(writer, goodbye.segment);
  return writer.finish();
}

/** Reads the body of an ack. Throws {@link BodyError}. */
export function readAck(body: Buffer): Ack {
  const fields = new FieldReader(body);
  const durableSegment = fields.required((reader) => reader.uint());
  const generation = fields.optional(readGeneration, 0);
  const killed = fields.optional(readKilled, false);
  const control = fields.optional(readControl, null);
  const flags = BigInt(fields.optional((reader) => reader.uint(), 0));
  const lifts = fields.optional(readControl, null);
  const highestSequence = fields.optional((reader) => reader.uint(), 0);
  const unitNumber = fields.optional((reader) => reader.uint(), 0);
  const left = fields.optional((reader) => reader.uint(), 0);
  fields.end();
  const units = Object.keys(BUDGET_UNITS) as BudgetUnit[];
  // A unit of a later version says as little as none.
  const unit = units.find((it) => BUDGET_UNITS[it] === unitNumber);
  const countsPending = (flags & 8n) !== 0n;
  return {
    durableSegment,
    desired: { control, generation, killed },
    unconfirmed: (flags & 1n) !== 0n,
    wantsIdentity: (flags & 2n) !== 0n,
    sessionTaken: (flags & 4n) !== 0n,
    lifts,
    highestSequence,
    budget: unit === undefined ? null : { unit, left, countsPending },
  };
}

/** Reads the body of a push. Throws {@link BodyError}. */
export function readPush(body: Buffer): Push {
  const fields = new FieldReader(body);
  const generation = fields.required(readGeneration);
  const killed = fields.required(readKilled);
  const control = fields.optional(readControl, null);
  const lifts = fields.optional(readControl, null);
  fields.end();
  return { desired: { control, generation, killed }, lifts };
}

/** Returns the length of an identity as a beat carries it. */
export function identityLength(writer: BodyWriter, identity: Identity): number {
  writer.begin();
  writeIdentity(writer.element(), identity);
  return writer.finish().length;
}

/** Reads the fields of a body in order; those beyond the known ones are checked and skipped. */
export class FieldReader {
  readonly #reader: BodyReader;
  #left: number;

  constructor(body: Buffer) {
    this.#reader = new BodyReader(body);
    this.#left = this.#reader.array();
  }

  required<T>(read: (reader: BodyReader) => T): T {
    if (this.#left === 0) throw new BodyError('Missing');
    this.#left -= 1;
    return read(this.#reader);
  }

  optional<T>(read: (reader: BodyReader) => T, missing: T): T {
    if (this.#left === 0) return missing;
    this.#left -= 1;
    return this.#reader.nil() ? missing : read(this.#reader);
  }

  end(): void {
    for (; this.#left > 0; this.#left -= 1) this.#reader.skip();
    this.#reader.leave();
    this.#reader.end();
  }
}

export function readGeneration(reader: BodyReader): Uint {
  return reader.uint(0, GENERATION_MAX);
}

export function readKilled(reader: BodyReader): boolean {
  return reader.uint(0, 1) === 1;
}

export function readControl(reader: BodyReader): ControlId | null {
  const value = reader.uint();
  return value === 0 ? null : value.toString(16).padStart(16, '0');
}

function writeOptional(writer: BodyWriter, value: Uint | null): void {
  if (value === null) writer.element().nil();
  else writer.element().uint(value);
}

function writeControl(writer: BodyWriter, control: ControlId | null): void {
  writer.element().uint(control === null ? 0 : toUint(BigInt(`0x${control}`)));
}

function writeSegment(writer: BodyWriter, segment: Segment | null): void {
  writer.element();
  if (segment === null) {
    writer.nil();
    return;
  }
  writer.array(7);
  writer.uint(segment.number);
  writer.uint(segment.ok);
  writer.uint(segment.failed);
  writer.uint(segment.costNanoUsd);
  writer.uint(segment.tokensIn);
  writer.uint(segment.tokensOut);
  writer.bin(segment.latency);
}

function writeIdentity(writer: BodyWriter, identity: Identity): void {
  const texts = (['host', 'group', 'version', 'framework', 'sdk'] as const).flatMap((key) => {
    const text = identity[key];
    return text === undefined ? [] : [[key, text] as const];
  });
  const { pid, labels, depends } = identity;
  const others = [pid !== undefined, labels.length > 0, depends.length > 0];
  writer.map(texts.length + others.filter(Boolean).length);
  for (const [key, text] of texts) {
    writer.text(key);
    writer.text(text);
  }
  if (pid !== undefined) {
    writer.text('pid');
    writer.uint(pid);
  }
  if (labels.length > 0) {
    writer.text('labels');
    writer.map(labels.length);
    for (const [key, value] of labels) {
      writer.text(key);
      writer.text(value);
    }
  }
  if (depends.length > 0) {
    writer.text('depends');
    writer.array(depends.length);
    for (const agent of depends) writer.text(agent);
  }
}
