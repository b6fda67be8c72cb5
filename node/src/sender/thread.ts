/**
 * Entry of the sender's thread. It is bundled into a text at build time (`build.mjs`), so that the
 * package has no second file to be found, and works in a program that was bundled itself.
 */

import { type MessagePort, workerData } from 'node:worker_threads';

import { reasonOf } from '../problem.js';
import { Flag, SharedMemory } from '../shared/memory.js';
import type { SenderConfig, ToAgent } from '../shared/messages.js';
import { releaseSignals } from './mainThread.js';
import { Sender, type SenderHost } from './sender.js';

const { port, config } = workerData as { port: MessagePort; config: SenderConfig };
const { flags } = new SharedMemory(config.memory);
const [seconds, nanos] = process.hrtime();
// Both threads have one monotonic clock; each `performance.now()` has an origin of its own.
const offsetMs = seconds * 1e3 + nanos / 1e6 - performance.now() - config.clockOffsetMs;

function stop(message: ToAgent): void {
  Atomics.store(flags, Flag.Stopped, 1);
  Atomics.notify(flags, Flag.Stopped);
  port.postMessage(message);
  port.close();
}

const host: SenderHost = {
  now: () => performance.now() + offsetMs,
  tell: (message) => port.postMessage(message),
  loopBlocked: () => {
    // A program without an inspector is ended by SIGKILL only, while it hangs.
    if (config.holdsSignals) releaseSignals().catch(() => {});
  },
  stopped: () => stop({ kind: 'stopped' }),
};

// A bug of this package ends the emitter, and not the agent.
process.on('uncaughtException', (error) => {
  stop({ kind: 'failed', reason: reasonOf(error) });
  process.exit();
});

const sender = new Sender(config, host);
port.on('message', () => sender.wake());
sender.start();
