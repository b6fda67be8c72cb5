/** Known answers of the protocol. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname ?? '.', '../../../..');

export function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(join(ROOT, 'protocol/vectors', `${name}.json`), 'utf8')) as T;
}

export function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}
