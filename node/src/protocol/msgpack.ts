/** MessagePack as bodies use it, strictly (`SPEC.md`, section 6). */

import { BODY_MIN, DATAGRAM_MAX, ELEMENTS_MAX, NESTING_MAX } from './limits.js';
import { readUint64, toUint, type Uint, writeUint64 } from './uint.js';

export type BodyFault =
  | 'CutOff'
  | 'Trailing'
  | 'WrongType'
  | 'OutOfRange'
  | 'NotFinite'
  | 'TooLong'
  | 'NotUtf8'
  | 'TooMany'
  | 'TooDeep'
  | 'DuplicateKey'
  | 'Missing'
  | 'BadHistogram';

/** Error of a body. */
export class BodyError extends Error {
  constructor(readonly fault: BodyFault) {
    super(fault);
    this.name = 'BodyError';
  }
}

/** Writes a body into a buffer of its own, each value in its shortest encoding. */
export class BodyWriter {
  // What does not fit is longer than any datagram may be: the envelope refuses it by its length.
  readonly #bytes = Buffer.alloc(8 * DATAGRAM_MAX);
  #at = 0;
  #elements = 0;

  /** Begins a body: an array whose header is written by {@link finish}. */
  begin(): void {
    this.#at = 3;
    this.#elements = 0;
  }

  /** Counts one element of the body's array; a value has to follow. */
  element(): this {
    this.#elements += 1;
    return this;
  }

  nil(): void {
    this.#byte(0xc0);
  }

  uint(value: Uint): void {
    if (typeof value === 'bigint' || value >= 2 ** 32) {
      this.#byte(0xcf);
      writeUint64(this.#bytes, this.#at, value);
      this.#at += 8;
    } else if (value < 0x80) {
      this.#byte(value);
    } else if (value < 0x100) {
      this.#byte(0xcc);
      this.#byte(value);
    } else if (value < 0x10000) {
      this.#byte(0xcd);
      this.#at = this.#bytes.writeUInt16BE(value, this.#at);
    } else {
      this.#byte(0xce);
      this.#at = this.#bytes.writeUInt32BE(value, this.#at);
    }
  }

  text(value: string): void {
    const length = Buffer.byteLength(value);
    if (length < 32) {
      this.#byte(0xa0 | length);
    } else {
      this.#sized(0xd9, length);
    }
    this.#at += this.#bytes.write(value, this.#at);
  }

  bin(value: Uint8Array): void {
    this.#sized(0xc4, value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  array(length: number): void {
    this.#header(0x90, 0xdc, length);
  }

  map(length: number): void {
    this.#header(0x80, 0xde, length);
  }

  /** Returns the body of a message from an agent: padded with nils, its header in 3 bytes. */
  finish(): Buffer {
    while (this.#at < BODY_MIN) this.element().nil();
    this.#bytes.writeUInt8(0xdc, 0);
    this.#bytes.writeUInt16BE(this.#elements, 1);
    return this.#bytes.subarray(0, this.#at);
  }

  #byte(value: number): void {
    this.#at = this.#bytes.writeUInt8(value, this.#at);
  }

  #sized(mark: number, length: number): void {
    if (length < 0x100) {
      this.#byte(mark);
      this.#byte(length);
    } else {
      this.#byte(mark + 1);
      this.#at = this.#bytes.writeUInt16BE(length, this.#at);
    }
  }

  #header(short: number, wide: number, length: number): void {
    if (length < 16) {
      this.#byte(short | length);
    } else {
      this.#byte(wide);
      this.#at = this.#bytes.writeUInt16BE(length, this.#at);
    }
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads a body value by value. Every method throws {@link BodyError}. */
export class BodyReader {
  #at = 0;
  #depth = 0;

  constructor(private readonly bytes: Buffer) {}

  /** Returns whether a nil comes next, and takes it then. */
  nil(): boolean {
    if (this.bytes[this.#at] !== 0xc0) return false;
    this.#at += 1;
    return true;
  }

  uint(min: Uint = 0, max: Uint = 2n ** 64n - 1n): Uint {
    const value = this.#integer();
    if (value < min || value > max) throw new BodyError('OutOfRange');
    return value < 0 ? 0 : (value as Uint);
  }

  bool(): boolean {
    const mark = this.#byte();
    if (mark !== 0xc2 && mark !== 0xc3) throw new BodyError('WrongType');
    return mark === 0xc3;
  }

  text(maxBytes: number = Infinity): string {
    const mark = this.#byte();
    let length: number;
    if (mark >= 0xa0 && mark < 0xc0) length = mark & 31;
    else if (mark >= 0xd9 && mark <= 0xdb) length = this.#length(1 << (mark - 0xd9));
    else throw new BodyError('WrongType');
    if (length > maxBytes) throw new BodyError('TooLong');
    const bytes = this.#take(length);
    try {
      return UTF8.decode(bytes);
    } catch {
      throw new BodyError('NotUtf8');
    }
  }

  bin(maxBytes: number = Infinity): Buffer {
    const mark = this.#byte();
    if (mark < 0xc4 || mark > 0xc6) throw new BodyError('WrongType');
    const length = this.#length(1 << (mark - 0xc4));
    if (length > maxBytes) throw new BodyError('TooLong');
    return this.#take(length);
  }

  /** Enters an array, and returns its length; {@link leave} follows its elements. */
  array(max: number = ELEMENTS_MAX): number {
    return this.#enter(0x90, 0xdc, max);
  }

  leave(): void {
    this.#depth -= 1;
  }

  /** Reads a map: calls `read` after each key, to read its value. */
  map(max: number, read: (key: string) => void): void {
    const keys = new Set<string>();
    for (let left = this.#enter(0x80, 0xde, max); left > 0; left -= 1) {
      const key = this.text();
      if (keys.has(key)) throw new BodyError('DuplicateKey');
      keys.add(key);
      read(key);
    }
    this.leave();
  }

  /** Checks a value of any type, and skips it. */
  skip(): void {
    const mark = this.bytes[this.#at] ?? this.#byte();
    if (mark < 0x80 || mark >= 0xe0 || (mark >= 0xcc && mark <= 0xd3)) {
      this.#integer();
    } else if (mark === 0xc0 || mark === 0xc2 || mark === 0xc3) {
      this.#at += 1;
    } else if (mark === 0xca || mark === 0xcb) {
      this.#at += 1;
      const value = mark === 0xca ? this.#take(4).readFloatBE() : this.#take(8).readDoubleBE();
      if (!Number.isFinite(value)) throw new BodyError('NotFinite');
    } else if ((mark >= 0xa0 && mark < 0xc0) || (mark >= 0xd9 && mark <= 0xdb)) {
      this.text();
    } else if (mark >= 0xc4 && mark <= 0xc6) {
      this.bin();
    } else if ((mark >= 0x90 && mark < 0xa0) || mark === 0xdc || mark === 0xdd) {
      for (let left = this.array(); left > 0; left -= 1) this.skip();
      this.leave();
    } else if ((mark >= 0x80 && mark < 0x90) || mark === 0xde || mark === 0xdf) {
      this.map(ELEMENTS_MAX, () => this.skip());
    } else {
      throw new BodyError('WrongType');
    }
  }

  /** Checks that nothing follows. */
  end(): void {
    if (this.#at !== this.bytes.length) throw new BodyError('Trailing');
  }

  #integer(): Uint | bigint {
    const mark = this.#byte();
    if (mark < 0x80) return mark;
    if (mark >= 0xe0) return mark - 0x100;
    switch (mark) {
      case 0xcc:
        return this.#take(1).readUInt8();
      case 0xcd:
        return this.#take(2).readUInt16BE();
      case 0xce:
        return this.#take(4).readUInt32BE();
      case 0xcf:
        return readUint64(this.#take(8), 0);
      case 0xd0:
        return this.#take(1).readInt8();
      case 0xd1:
        return this.#take(2).readInt16BE();
      case 0xd2:
        return this.#take(4).readInt32BE();
      case 0xd3:
        return toUint(this.#take(8).readBigInt64BE());
      default:
        throw new BodyError('WrongType');
    }
  }

  #enter(short: number, wide: number, max: number): number {
    const mark = this.#byte();
    let length: number;
    if (mark >= short && mark < short + 16) length = mark & 15;
    else if (mark === wide || mark === wide + 1) length = this.#length(2 << (mark - wide));
    else throw new BodyError('WrongType');
    this.#depth += 1;
    if (this.#depth > NESTING_MAX) throw new BodyError('TooDeep');
    if (length > Math.min(max, ELEMENTS_MAX)) throw new BodyError('TooMany');
    return length;
  }

  #length(size: number): number {
    return this.#take(size).readUIntBE(0, size);
  }

  #byte(): number {
    const byte = this.bytes[this.#at];
    if (byte === undefined) throw new BodyError('CutOff');
    this.#at += 1;
    return byte;
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.bytes.length) throw new BodyError('CutOff');
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }
}
