/**
 * The socket to one collector (`SPEC.md`, section 18).
 *
 * 1. An address that refuses a message is left at once: the same message goes to the next one, until
 *    each has had it.
 * 2. An address that never answered is left with the next message.
 * 3. A socket that can't send any more, as after a change of the own address, is opened anew at
 *    once, for the same message.
 * 4. Where answers are missing for long, the name is looked up again. Until that succeeds, the
 *    addresses of before are used.
 */

import { createSocket, type Socket } from 'node:dgram';

import { type Problem, problem, reasonOf } from '../problem.js';
import { AddressLookup, type LookupResult, type PeerAddress } from './lookup.js';

export class CollectorSocket {
  /** What the last successful look-up has found. */
  #addresses: readonly PeerAddress[] = [];
  #current = 0;
  #socket: Socket | null = null;
  #isConnected = false;
  /** Whether something was received from the current address. */
  #hasAnswered = false;
  /** The last message, while nothing was received after it. */
  #unanswered: Buffer | null = null;
  /** Whether this socket has been used for the last message. */
  #wasUsed = false;
  /** Number of addresses that have refused the last message, or could not be sent to. */
  #failures = 0;
  /** Whether the name was looked up because all addresses failed, since something was received. */
  #hasSearched = false;
  #isClosed = false;
  /** The last problem; null once something was received. */
  problem: Problem | null = null;

  constructor(
    readonly collector: string,
    private readonly onDatagram: (datagram: Buffer) => void,
    private readonly lookup: Pick<AddressLookup, 'start'> = new AddressLookup(collector),
  ) {}

  /** Sends a message. What can't be sent is lost, and is a problem. */
  send(datagram: Buffer): void {
    const isUnheard = !this.#hasAnswered && this.#unanswered !== null;
    if (isUnheard && this.#failures === 0 && this.#addresses.length > 1) this.#useNextAddress();
    this.#unanswered = datagram;
    this.#failures = 0;
    this.#transmit();
  }

  /** Looks the collector's name up again, and goes on with its next address. */
  reopen(): void {
    this.#useNextAddress();
    this.#startLookup();
  }

  close(): void {
    this.#isClosed = true;
    this.#closeSocket();
  }

  /** Sends the last message to the current address. */
  #transmit(): void {
    if (this.#unanswered === null || this.#isClosed) return;
    if (this.#addresses.length === 0) {
      this.#startLookup();
      return;
    }
    if (this.#socket === null) this.#open();
    else if (this.#isConnected) this.#sendNow(this.#socket, true);
  }

  #open(): void {
    const peer = this.#addresses[this.#current] as PeerAddress;
    try {
      const socket = createSocket(peer.family === 6 ? 'udp6' : 'udp4');
      this.#socket = socket;
      socket.on('message', (datagram) => {
        if (socket === this.#socket) this.#onMessage(datagram);
      });
      socket.on('error', (error) => this.#onError(socket, error));
      socket.connect(peer.port, peer.host, () => {
        if (socket !== this.#socket) return;
        this.#isConnected = true;
        if (this.#unanswered !== null) this.#sendNow(socket, false);
      });
    } catch (error) {
      this.#onFailedSend(error, false);
    }
  }

  #sendNow(socket: Socket, wasOpen: boolean): void {
    const datagram = this.#unanswered as Buffer;
    this.#wasUsed = true;
    socket.send(datagram, (error) => {
      if (error !== null && socket === this.#socket && datagram === this.#unanswered) {
        this.#onFailedSend(error, wasOpen);
      }
    });
  }

  #onMessage(datagram: Buffer): void {
    this.problem = null;
    this.#hasAnswered = true;
    this.#hasSearched = false;
    this.#failures = 0;
    this.#unanswered = null;
    this.onDatagram(datagram);
  }

  /** An error that UDP reports late, or one of the opening of the socket. */
  #onError(socket: Socket, error: Error): void {
    if (socket !== this.#socket) return;
    this.#fail(isRefusal(error) ? 'reach' : 'receive from', error);
    if (!this.#isConnected || this.#wasUsed) this.#tryNext();
  }

  #onFailedSend(error: unknown, wasOpen: boolean): void {
    const refused = isRefusal(error);
    this.#fail(refused ? 'reach' : 'send to', error);
    this.#closeSocket();
    // Refused is the error of an earlier message; any other one is that of a stale socket.
    if (wasOpen && (!refused || this.#addresses.length === 1)) this.#open();
    else this.#tryNext();
  }

  /** Sends the last message to the next address, unless each has failed. */
  #tryNext(): void {
    this.#closeSocket();
    if (this.#unanswered === null || this.#isClosed) return;
    this.#failures += 1;
    if (this.#addresses.length > 1) this.#useNextAddress();
    if (this.#failures < this.#addresses.length) {
      this.#transmit();
    } else if (!this.#hasSearched) {
      // After the last one, looks for others, once an outage.
      this.#hasSearched = true;
      this.#startLookup();
    }
  }

  #startLookup(): void {
    this.lookup.start((result) => this.#onLookup(result));
  }

  /** Takes over what a look-up has found, and sends the last message there. */
  #onLookup(result: LookupResult): void {
    if (this.#isClosed) return;
    if ('reason' in result) {
      const message = `can't find the collector ${this.collector}: ${result.reason}`;
      this.problem = problem('Unresolved', message);
      return;
    }
    const peer = this.#addresses[this.#current];
    const same = result.found.findIndex((it) => it.host === peer?.host && it.port === peer.port);
    this.#addresses = result.found;
    this.#current = Math.max(same, 0);
    if (same === -1) {
      this.#closeSocket();
      this.#hasAnswered = false;
      this.#failures = 0;
      this.#transmit();
    }
  }

  #useNextAddress(): void {
    this.#closeSocket();
    this.#hasAnswered = false;
    this.#current = (this.#current + 1) % Math.max(this.#addresses.length, 1);
  }

  #closeSocket(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#isConnected = false;
    this.#wasUsed = false;
    // A socket that was never bound throws; nothing is left to close then.
    try {
      socket?.close();
    } catch {}
  }

  #fail(action: 'reach' | 'send to' | 'receive from', error: unknown): void {
    this.problem = problem('Socket', `can't ${action} ${this.collector}: ${describe(error)}`);
  }
}

function isRefusal(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === 'ECONNREFUSED';
}

function describe(error: unknown): string {
  if (isRefusal(error)) return 'connection refused (ECONNREFUSED): nothing listens on that port';
  return reasonOf(error);
}
