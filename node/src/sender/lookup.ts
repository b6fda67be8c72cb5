/** Look-up of a collector's addresses. */

import { lookup } from 'node:dns';
import { isIP } from 'node:net';

import { reasonOf } from '../problem.js';

export interface PeerAddress {
  readonly host: string;
  readonly port: number;
  readonly family: 4 | 6;
}

export type LookupResult = { readonly found: PeerAddress[] } | { readonly reason: string };

/**
 * Looks a collector's name up; at most one look-up is under way, and one that hangs holds up
 * nothing. An address in digits is known at once.
 */
export class AddressLookup {
  readonly #host: string;
  readonly #port: number;
  #isPending = false;

  constructor(readonly collector: string) {
    const colon = collector.lastIndexOf(':');
    this.#host = collector.slice(0, colon).replace(/^\[|\]$/g, '');
    this.#port = Number(collector.slice(colon + 1));
  }

  /** Begins a look-up, unless one is under way. */
  start(done: (result: LookupResult) => void): void {
    if (this.#isPending) return;
    const family = isIP(this.#host);
    if (family === 4 || family === 6) {
      done({ found: [{ host: this.#host, port: this.#port, family }] });
      return;
    }
    this.#isPending = true;
    lookup(this.#host, { all: true, verbatim: true }, (error, addresses) => {
      this.#isPending = false;
      if (error !== null) {
        done({ reason: reasonOf(error) });
        return;
      }
      const found = addresses.map(({ address, family: of }) => {
        return { host: address, port: this.#port, family: of === 6 ? 6 : 4 } as const;
      });
      done(found.length > 0 ? { found } : { reason: 'it has no address' });
    });
  }
}
