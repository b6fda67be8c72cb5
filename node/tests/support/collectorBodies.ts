/** The other side's half of the protocol: what a collector reads, and how it answers. */

import { isAgentId } from '../../src/protocol/agentId.js';
import { FieldReader, readControl, readGeneration, readKilled } from '../../src/protocol/bodies.js';
import { BUCKETS } from '../../src/protocol/buckets.js';
import { COUNT_MAX } from '../../src/protocol/limits.js';
import { BodyError, type BodyReader } from '../../src/protocol/msgpack.js';
import type { Uint } from '../../src/protocol/uint.js';

const count = (reader: BodyReader) => reader.uint(0, COUNT_MAX);
const uint32 = (reader: BodyReader) => reader.uint(0, 2 ** 32 - 1);

/** Reads pairs of bucket and count; throws the name of the rule that is broken. */
export function unpackHistogram(packed: Buffer): [number, number][] {
  const numbers: bigint[] = [];
  let [value, length] = [0n, 0];
  for (const byte of packed) {
    if (length === 9 || (byte === 0 && length > 0)) throw new Error('BadNumber');
    value |= BigInt(byte & 0x7f) << BigInt(7 * length);
    length += 1;
    if (byte < 0x80) {
      numbers.push(value);
      [value, length] = [0n, 0];
    }
  }
  if (length > 0 || numbers.length % 2 !== 0) throw new Error('BadNumber');
  const pairs: [number, number][] = [];
  let [bucket, total] = [0n, 0n];
  for (let at = 0; at < numbers.length; at += 2) {
    const [step, amount] = [numbers[at] as bigint, numbers[at + 1] as bigint];
    bucket += step;
    total += amount;
    const isOut = bucket >= BigInt(BUCKETS) || total > BigInt(COUNT_MAX);
    if (amount === 0n || (step === 0n && at > 0) || isOut) throw new Error('BadPair');
    pairs.push([Number(bucket), Number(amount)]);
  }
  return pairs;
}

/** Reads an array within a body, field by field. */
class ArrayReader {
  #left: number;

  constructor(
    private readonly reader: BodyReader,
    max: number,
  ) {
    this.#left = reader.array(max);
  }

  required<T>(read: (reader: BodyReader) => T): T {
    if (this.#left === 0) throw new BodyError('Missing');
    this.#left -= 1;
    return read(this.reader);
  }

  optional<T>(read: (reader: BodyReader) => T, missing: T): T {
    if (this.#left === 0) return missing;
    this.#left -= 1;
    return this.reader.nil() ? missing : read(this.reader);
  }

  end(): void {
    for (; this.#left > 0; this.#left -= 1) this.reader.skip();
    this.reader.leave();
  }
}

function readSegment(reader: BodyReader) {
  const fields = new ArrayReader(reader, 32);
  const segment = {
    number: fields.required((it) => it.uint(1, COUNT_MAX)),
    ok: fields.required(count),
    failed: fields.required(count),
    cost_nano_usd: fields.optional(count, 0),
    tokens_in: fields.optional(count, 0),
    tokens_out: fields.optional(count, 0),
    latency: fields.optional(readLatency, Buffer.alloc(0)),
  };
  fields.end();
  return segment;
}

function readProcess(reader: BodyReader) {
  const fields = new ArrayReader(reader, 16);
  const process = {
    cpu_permille: fields.required(uint32),
    memory_bytes: fields.required((it) => it.uint()),
    emitter_silent_ms: fields.optional<Uint | null>((it) => it.uint(), null),
  };
  fields.end();
  return process;
}

function readLines(reader: BodyReader): string[] {
  const lines: string[] = [];
  for (let left = reader.array(5); left > 0; left -= 1) lines.push(reader.text(128));
  reader.leave();
  return lines;
}

function readLatency(reader: BodyReader): Buffer {
  const packed = reader.bin(1_200);
  try {
    unpackHistogram(packed);
  } catch {
    throw new BodyError('BadHistogram');
  }
  return packed;
}

function readIdentity(reader: BodyReader) {
  const identity: Record<string, unknown> = { labels: [], depends: [] };
  for (const key of ['host', 'group', 'version', 'framework', 'sdk', 'pid']) identity[key] = null;
  reader.map(32, (key) => {
    if (reader.nil()) return;
    if (key === 'pid') identity[key] = uint32(reader);
    else if (key === 'labels') identity[key] = readLabels(reader);
    else if (key === 'depends') identity[key] = readDepends(reader);
    else if (key in identity) identity[key] = reader.text(128);
    else reader.skip();
  });
  return identity;
}

function readLabels(reader: BodyReader): [string, string][] {
  const labels: [string, string][] = [];
  reader.map(16, (key) => {
    if (Buffer.byteLength(key) > 32) throw new BodyError('TooLong');
    labels.push([key, reader.text(128)]);
  });
  return labels;
}

function readDepends(reader: BodyReader): string[] {
  const depends: string[] = [];
  for (let left = reader.array(16); left > 0; left -= 1) {
    const id = reader.text(63);
    if (!isAgentId(id)) throw new BodyError('OutOfRange');
    depends.push(id);
  }
  reader.leave();
  return depends;
}

/** Reads the body of a message from an agent. */
export function readUpward(type: number, body: Buffer): Record<string, unknown> {
  const reader = new FieldReader(body);
  const optional = <T>(read: (it: BodyReader) => T) => reader.optional<T | null>(read, null);
  const uptime = () => reader.required((it) => it.uint());
  let fields: Record<string, unknown>;
  if (type === 0x01) {
    fields = {
      interval_ms: reader.required((it) => it.uint(100, 3_600_000)),
      uptime_ms: uptime(),
      phase: reader.optional((it) => it.uint(0, 3), 1),
      in_flight: reader.optional(uint32, 0),
      oldest_in_flight_ms: optional((it) => it.uint()),
      progress_age_ms: optional((it) => it.uint()),
      queue: optional(uint32),
      step: optional((it) => it.text(64)),
      generation: reader.optional(readGeneration, 0),
      killed: reader.optional(readKilled, false),
      control: optional(readControl),
      blocked_by: optional(readControl),
      lost_observations: reader.optional((it) => it.uint(), 0),
      segment: optional(readSegment),
      identity: optional(readIdentity),
      stall_after_ms: optional(uint32),
      process: optional(readProcess),
    };
  } else if (type === 0x02) {
    fields = { uptime_ms: uptime(), segment: optional(readSegment) };
  } else {
    fields = {
      uptime_ms: uptime(),
      code: optional(uint32),
      signal: optional(uint32),
      oom_killed: reader.optional((it) => it.bool(), false),
      segment: optional(readSegment),
      last_lines: reader.optional<string[]>(readLines, []),
    };
  }
  reader.end();
  return fields;
}
