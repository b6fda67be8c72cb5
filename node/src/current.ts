/**
 * What is running in this process. It is kept in one place for both builds of the package, as a
 * program may load one by `import` and the other one by `require`.
 */

import { AsyncLocalStorage } from 'node:async_hooks';

import type { Emitter } from './emitter.js';
import type { Heartline } from './heartline.js';
import { PROCESS_KEY } from './processKey.js';
import type { Task } from './task.js';

/** A task, and the handle that began it. */
export interface RunningTask {
  readonly task: Task;
  readonly handle: Heartline;
}

/** What adapters know of each other, so that a nested run counts once. */
export interface AdapterProbe {
  /** Returns whether this code runs inside of a run that the adapter counts. */
  isInside(): boolean;
}

interface ProcessState {
  /** Handles by the name that was asked for, in the order of their start. */
  readonly handles: Map<string, Heartline>;
  readonly storage: AsyncLocalStorage<RunningTask>;
  /** Adapters that are registered, by their framework. */
  readonly adapters: Map<string, AdapterProbe>;
  /** Emitters that say goodbye at signals. */
  readonly saysGoodbye: Set<Emitter>;
  /** Removes the listeners for signals; the sender calls it while the event loop is blocked. */
  releaseSignals?: () => void;
}

const KEY = Symbol.for(PROCESS_KEY);

/** Returns the state of this process. */
export function processState(): ProcessState {
  const holder = globalThis as { [KEY]?: ProcessState };
  holder[KEY] ??= {
    handles: new Map(),
    storage: new AsyncLocalStorage(),
    adapters: new Map(),
    saysGoodbye: new Set(),
  };
  return holder[KEY];
}

/**
 * Returns the handle of the task that this code runs in, else that of the agent that was started
 * first and is not stopped.
 */
export function current(): Heartline | undefined {
  const { handles, storage } = processState();
  const inTask = storage.getStore();
  if (inTask !== undefined) return inTask.handle;
  for (const handle of handles.values()) if (!handle.isStopped) return handle;
  return undefined;
}

/** Returns the task that this code runs in. */
export function currentTask(): Task | undefined {
  return processState().storage.getStore()?.task;
}
