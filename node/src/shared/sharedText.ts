/** A short text in shared memory: one thread writes it, another one reads it whole. */

import { STEP_MAX } from '../protocol/limits.js';
import { scrubTo } from '../protocol/text.js';
import type { Flag } from './memory.js';

const READ_TRIES = 100;

export class SharedTextWriter {
  /** What was last written, as it was given. */
  #last = '';

  constructor(
    private readonly flags: Int32Array,
    private readonly version: Flag,
    private readonly bytes: Uint8Array,
  ) {}

  /** Writes a text, scrubbed and cut to the length of a step; the empty text is none. */
  write(text: string): void {
    if (text === this.#last) return;
    this.#last = text;
    const encoded = Buffer.from(scrubTo(text, STEP_MAX), 'utf8');
    // Odd while it is written: a reader in between tries again.
    Atomics.add(this.flags, this.version, 1);
    this.bytes[0] = encoded.length;
    this.bytes.set(encoded, 1);
    Atomics.add(this.flags, this.version, 1);
  }
}

export class SharedTextReader {
  #last: string | null = null;

  constructor(
    private readonly flags: Int32Array,
    private readonly version: Flag,
    private readonly bytes: Uint8Array,
  ) {}

  /** Returns the text; null if there is none. While it is being written, the one before. */
  read(): string | null {
    for (let tries = 0; tries < READ_TRIES; tries += 1) {
      const before = Atomics.load(this.flags, this.version);
      const copy = Buffer.from(this.bytes);
      if (before % 2 === 0 && Atomics.load(this.flags, this.version) === before) {
        const length = copy[0] as number;
        this.#last = length === 0 ? null : copy.toString('utf8', 1, 1 + length);
        break;
      }
    }
    return this.#last;
  }
}
