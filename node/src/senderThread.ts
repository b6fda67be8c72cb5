/** The sender's thread, as the agent's thread sees it. */

import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';

import { reasonOf } from './problem.js';
import { THREAD_SOURCE } from './sender/threadSource.js';
import { Flag, type SharedMemory, StopRequest } from './shared/memory.js';
import type { SenderConfig, ToAgent, ToSender } from './shared/messages.js';

/** Longest wait for the sender to stop, its goodbye included. */
export const STOP_TIMEOUT_MS = 1_500;
const WAKE: ToSender = { kind: 'wake' };

export class SenderThread {
  readonly #port: MessagePort;
  readonly #worker: Worker;
  #isKeptAlive = false;
  #stopped: Promise<void> | null = null;
  #onStopped: (() => void) | null = null;

  /** Starts the thread; throws where the system or the program allows none. */
  constructor(
    config: SenderConfig,
    private readonly memory: SharedMemory,
    private readonly onMessage: (message: ToAgent) => void,
  ) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#worker = new Worker(THREAD_SOURCE, {
      eval: true,
      name: 'heartline',
      workerData: { port: port2, config },
      transferList: [port2],
      // What the program loads first, such as a compiler or a tracer, is of no use to the sender.
      execArgv: [],
      env: {},
      stdout: true,
      stderr: true,
    });
    this.#worker.on('error', (error) => this.#handle({ kind: 'failed', reason: reasonOf(error) }));
    this.#worker.on('exit', () => this.#onExit());
    this.#port.on('message', (message: ToAgent) => this.#handle(message));
    // Neither keeps a program from its end.
    this.#port.unref();
    this.#worker.unref();
  }

  /** Handles the messages that have come, also while the event loop has had no turn. */
  drain(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: ToAgent } | undefined;
      if (received === undefined) return;
      this.#handle(received.message);
    }
  }

  wake(): void {
    this.#port.postMessage(WAKE);
  }

  /** Keeps the process alive, or no longer. */
  keepAlive(isNeeded: boolean): void {
    if (this.#isKeptAlive === isNeeded) return;
    this.#isKeptAlive = isNeeded;
    if (isNeeded && !this.memory.isStopped) this.#port.ref();
    else this.#port.unref();
  }

  /** Asks the sender to stop. */
  requestStop(request: StopRequest): void {
    const { flags } = this.memory;
    if (Atomics.load(flags, Flag.StopRequest) < request) {
      Atomics.store(flags, Flag.StopRequest, request);
      this.wake();
    }
  }

  /** Asks the sender to stop with a goodbye, and waits for that, as long as it may take. */
  stop(): Promise<void> {
    this.#stopped ??= new Promise((resolve) => {
      if (this.memory.isStopped) {
        resolve();
        return;
      }
      const timeout = setTimeout(resolve, STOP_TIMEOUT_MS);
      this.#onStopped = () => {
        clearTimeout(timeout);
        resolve();
      };
      this.requestStop(StopRequest.WithGoodbye);
    });
    return this.#stopped;
  }

  /** Blocks until the sender has stopped, at most `timeoutMs`. */
  blockUntilStopped(timeoutMs: number): void {
    Atomics.wait(this.memory.flags, Flag.Stopped, 0, Math.max(0, timeoutMs));
  }

  /** The sender says when it has stopped; a thread that ends before was ended by others. */
  #onExit(): void {
    this.drain();
    if (!this.memory.isStopped) this.#handle({ kind: 'failed', reason: 'its thread was ended' });
  }

  #handle(message: ToAgent): void {
    if (message.kind === 'stopped' || message.kind === 'failed') {
      const { flags } = this.memory;
      Atomics.store(flags, Flag.Stopped, 1);
      Atomics.notify(flags, Flag.Stopped);
      this.#onStopped?.();
    }
    this.onMessage(message);
  }
}
