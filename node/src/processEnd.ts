/**
 * Goodbyes at the end of a process.
 *
 * Node runs nothing asynchronous at its `exit` event. But the sender has a thread of its own, so
 * this thread can wait for it: the goodbye is said at the natural end of a program as well as in
 * `process.exit()`. A program that ends by an exception says none, on purpose: it has crashed.
 */

import { processState } from './current.js';
import type { Emitter } from './emitter.js';
import { STOP_TIMEOUT_MS } from './senderThread.js';
import { StopRequest } from './shared/memory.js';

const emitters = new Set<Emitter>();
let isInstalled = false;
/** An exception was not caught, in this turn of the event loop. */
let hasCrashed = false;

/** Lets an emitter say goodbye when the process ends. */
export function sayGoodbyeAtEnd(emitter: Emitter): void {
  emitters.add(emitter);
  if (isInstalled) return;
  isInstalled = true;
  process.on('exit', () => {
    stopAndBlock(emitters, hasCrashed ? StopRequest.Silent : StopRequest.WithGoodbye);
  });
  process.on('uncaughtExceptionMonitor', () => {
    hasCrashed = true;
    // A program that catches it in a handler of its own goes on.
    setImmediate(() => {
      hasCrashed = false;
    }).unref();
  });
}

/** Forgets an emitter that has stopped. */
export function sayGoodbyeNoMore(emitter: Emitter): void {
  emitters.delete(emitter);
  processState().saysGoodbye.delete(emitter);
}

/** Stops emitters, all together as long as one may take. */
export function stopAndBlock(stopped: Iterable<Emitter>, request: StopRequest): void {
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  const all = [...stopped];
  for (const emitter of all) emitter.requestStop(request);
  for (const emitter of all) emitter.blockUntilStopped(deadline - performance.now());
}
