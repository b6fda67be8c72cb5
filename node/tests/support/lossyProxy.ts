/** A network that loses, duplicates and reorders datagrams, by a seed. */

import { createSocket, type Socket } from 'node:dgram';

export class LossyProxy {
  readonly #front = createSocket('udp4');
  /** A socket to the collector for each sender. */
  readonly #backs = new Map<number, Socket>();
  #state: number;

  private constructor(
    private readonly collectorPort: number,
    seed: number,
  ) {
    this.#state = seed;
  }

  static async start(collector: string, seed: number): Promise<LossyProxy> {
    const proxy = new LossyProxy(Number(collector.split(':').at(-1)), seed);
    await new Promise<void>((resolve) => proxy.#front.bind(0, '127.0.0.1', resolve));
    proxy.#front.on('message', (datagram, from) => {
      const back = proxy.#backOf(from.port);
      proxy.#pass(() => back.send(datagram, proxy.collectorPort, '127.0.0.1'));
    });
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${this.#front.address().port}`;
  }

  close(): void {
    this.#front.close();
    for (const back of this.#backs.values()) back.close();
    this.#backs.clear();
  }

  #backOf(port: number): Socket {
    let back = this.#backs.get(port);
    if (back === undefined) {
      back = createSocket('udp4');
      back.on('message', (datagram) => {
        this.#pass(() => this.#front.send(datagram, port, '127.0.0.1'));
      });
      this.#backs.set(port, back);
    }
    return back;
  }

  /** Loses three in ten, sends one in ten twice, and delays each by up to 40 ms. */
  #pass(send: () => void): void {
    if (this.#random() < 0.3) return;
    for (let copies = this.#random() < 0.1 ? 2 : 1; copies > 0; copies -= 1) {
      setTimeout(() => {
        // A socket that is closed meanwhile has nothing more to send.
        try {
          send();
        } catch {}
      }, 40 * this.#random());
    }
  }

  /** Draws 0 to 1 (mulberry32). */
  #random(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}
