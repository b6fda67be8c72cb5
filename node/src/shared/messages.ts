/** Messages between the agent's thread and the sender's thread. */

import type { Identity, DesiredState } from '../protocol/bodies.js';
import type { Connection } from '../engine/engine.js';
import type { Problem } from '../problem.js';
import type { ReplicaClaim } from '../replicaClaim.js';

/** Where the token comes from. */
export type TokenSource =
  | { readonly kind: 'text'; readonly text: string }
  /** The file may be created later, and may change. */
  | { readonly kind: 'file'; readonly path: string }
  /** No token is set, and there is no default path. */
  | { readonly kind: 'unknown' };

/** What the sender's thread is started with. */
export interface SenderConfig {
  readonly memory: SharedArrayBuffer;
  /** Difference between the agent's `performance.now()` and `process.hrtime()`, in ms. */
  readonly clockOffsetMs: number;
  readonly agent: string;
  readonly collectors: readonly string[];
  readonly token: TokenSource;
  readonly intervalMs: number;
  readonly stallAfterMs: number | null;
  readonly stateDir: string | null;
  readonly identity: Identity;
  /** Desired states that are in force at the start. */
  readonly applied: readonly DesiredState[];
  /** What was wrong with the memory of them. */
  readonly memoryProblems: readonly Problem[];
  /** Whether the emitter listens for SIGTERM and SIGINT. */
  readonly holdsSignals: boolean;
  /** By which a replica holds its number, to be renewed with each beat. */
  readonly replicaClaim: ReplicaClaim | null;
}

/** Status of the session with one collector, as the sender has it. */
export interface LinkStatus {
  readonly collector: string;
  /** null: there is no session. */
  readonly connection: Connection | null;
  /** When the first message was sent that was not answered, once that is long ago. */
  readonly unansweredSince: number | null;
  readonly problems: readonly Problem[];
}

/** The sender's part of the status. */
export interface SenderStatus {
  readonly links: readonly LinkStatus[];
  readonly tokenProblem: Problem | null;
  /** Those of the last reading or writing of the kill memory. */
  readonly memoryProblems: readonly Problem[];
}

export type ToAgent =
  | { readonly kind: 'status'; readonly status: SenderStatus }
  | { readonly kind: 'killed' }
  | { readonly kind: 'resumed' }
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'ping'; readonly number: number; readonly sentAt: number }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'stopped' };

/** The sender looks at the shared memory: a stop was requested, or the last task has ended. */
export interface ToSender {
  readonly kind: 'wake';
}
