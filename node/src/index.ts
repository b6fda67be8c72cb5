/**
 * Heartbeats for Node agents.
 *
 * ```js
 * import { start } from 'heartline';
 *
 * const hb = start('order-processor');
 * for await (const order of orders) {
 *   await hb.task(async (t) => {        // counts, times, waits while killed
 *     t.cost((await process(order)).costUsd);
 *   });
 * }
 * ```
 */

export { auto } from './auto.js';
export type { AdapterOptions, ModelCall } from './adapters/adapter.js';
export { current, currentTask } from './current.js';
export type { Connection } from './engine/engine.js';
export type { Heartline } from './heartline.js';
export { AgentKilled, type KillCause } from './killGate.js';
export type { OnKill, StartOptions } from './options.js';
export type { Problem, ProblemKind } from './problem.js';
export type { Report } from './shared/counters.js';
export { start } from './start.js';
export type { CollectorStatus, Status } from './status.js';
export type { Task, Tokens, Wait } from './task.js';
