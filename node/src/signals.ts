/**
 * Goodbyes when the process is asked to end by SIGTERM or SIGINT.
 *
 * 1. A signal is the emitter's business only where it would end the process: the program has no
 *    listener for it when it arrives.
 * 2. All emitters of the process say goodbye, together as long as one stop may take.
 * 3. Then the signal does what it would have done: the listener is removed, and it is raised anew.
 *
 * Libraries by the name of `signal-exit` end the process themselves where no listeners but theirs
 * are left. So theirs do not count as the program's, and the emitter's listener is gone while
 * others run.
 */

import { isMainThread } from 'node:worker_threads';

import { processState } from './current.js';
import type { Emitter } from './emitter.js';
import { stopAndBlock } from './processEnd.js';
import { StopRequest } from './shared/memory.js';

const SIGNALS = { SIGTERM: 15, SIGINT: 2 } as const;
type Signal = keyof typeof SIGNALS;

const listeners = new Map<Signal, () => void>();
let areReleased = false;

/** Lets an emitter say goodbye when the process is asked to end. */
export function sayGoodbyeAtSignals(emitter: Emitter): void {
  // Signals reach the main thread only; at its end it ends the others, and their emitters with them.
  if (!isMainThread) return;
  const state = processState();
  state.saysGoodbye.add(emitter);
  emitter.onLoopTurn = () => {
    if (areReleased) listenAgain();
  };
  if (state.releaseSignals !== undefined) return;
  state.releaseSignals = release;
  for (const signal of Object.keys(SIGNALS) as Signal[]) {
    listeners.set(signal, () => onSignal(signal));
    listen(signal);
  }
}

/** Hands the signals back while the event loop is blocked: nothing would be called at them. */
function release(): void {
  areReleased = true;
  for (const signal of listeners.keys()) unlisten(signal);
}

function listenAgain(): void {
  areReleased = false;
  for (const signal of listeners.keys()) listen(signal);
}

/** First in the row, so that listeners that are called only once are still there to be counted. */
function listen(signal: Signal): void {
  process.prependListener(signal, listeners.get(signal) as () => void);
}

function unlisten(signal: Signal): void {
  process.removeListener(signal, listeners.get(signal) as () => void);
}

function onSignal(signal: Signal): void {
  const others = process.listenerCount(signal) - 1;
  const ofSignalExit = Math.min(others, signalExitListeners());
  unlisten(signal);
  if (others > ofSignalExit) {
    // The program's own listener decides; where it ends the process, `exit` says goodbye.
    setImmediate(() => listen(signal)).unref();
    return;
  }
  stopAndBlock(processState().saysGoodbye, StopRequest.WithGoodbye);
  // Where there are any, these raise it anew.
  if (ofSignalExit > 0) return;
  // The kernel drops signals to the first process of a container whose default would end it.
  if (process.pid === 1) process.exit(128 + SIGNALS[signal]);
  process.kill(process.pid, signal);
}

/** Returns how many listeners for each signal libraries by the name of `signal-exit` have. */
function signalExitListeners(): number {
  const holders = [
    (process as { __signal_exit_emitter__?: unknown }).__signal_exit_emitter__,
    (globalThis as Record<symbol, unknown>)[Symbol.for('signal-exit emitter')],
  ];
  let count = 0;
  for (const holder of holders) {
    const listening = (holder as { count?: unknown } | undefined)?.count;
    if (typeof listening === 'number') count += listening;
  }
  return count;
}
