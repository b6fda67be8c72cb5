/**
 * Unsigned integer of up to 64 bits: a number up to 2⁵³−1, a bigint above. Every value has one
 * form only, so `===` compares two of them, and `<` does where the forms differ.
 */
export type Uint = number | bigint;

/** Returns the one form of a value. */
export function toUint(value: bigint): Uint {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** Reads 8 big-endian bytes. */
export function readUint64(bytes: Buffer, at: number): Uint {
  const high = bytes.readUInt32BE(at);
  if (high < 2 ** 21) return high * 2 ** 32 + bytes.readUInt32BE(at + 4);
  return toUint(bytes.readBigUInt64BE(at));
}

/** Writes 8 big-endian bytes. */
export function writeUint64(bytes: Buffer, at: number, value: Uint): void {
  if (typeof value === 'bigint') {
    bytes.writeBigUInt64BE(value, at);
    return;
  }
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  bytes.writeUInt32BE(value % 2 ** 32, at + 4);
}
