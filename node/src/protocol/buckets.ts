/** Latency buckets and packed histograms (`SPEC.md`, section 10). */

export const LATENCY_MAX_US = 86_400_000_000;
export const BUCKETS = 1_033;

/** Returns the bucket of a latency in whole microseconds that are not negative. */
export function bucketOf(us: number): number {
  if (us < 64) return us;
  if (us < 2 ** 31) {
    const shift = 26 - Math.clz32(us);
    return 32 * shift + (us >> shift);
  }
  const high = Math.floor(Math.min(us, LATENCY_MAX_US) / 2 ** 16);
  const shift = 26 - Math.clz32(high);
  return 32 * (shift + 16) + (high >> shift);
}

/** Returns the lowest latency of a bucket, in microseconds. */
export function lowestOf(bucket: number): number {
  if (bucket < 64) return bucket;
  return ((bucket % 32) + 32) * 2 ** (Math.floor(bucket / 32) - 1);
}

/** Returns the length of one pair of a packed histogram. */
export function packedLength(step: number, count: number): number {
  return leb128Length(step) + leb128Length(count);
}

/** Packs pairs of bucket and count, buckets ascending. */
export function packHistogram(pairs: readonly (readonly [number, number])[]): Buffer {
  const packed: number[] = [];
  let last = 0;
  for (const [bucket, count] of pairs) {
    pushLeb128(packed, bucket - last);
    pushLeb128(packed, count);
    last = bucket;
  }
  return Buffer.from(packed);
}

function pushLeb128(packed: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    packed.push(rest % 0x80 | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  packed.push(rest);
}

function leb128Length(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1;
  return length;
}
