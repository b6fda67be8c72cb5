/**
 * Names of replicas: a worker thread, a cluster worker, or a forked child of an agent is an agent of
 * its own, `NAME.1`, `NAME.2`, … Numbers are claimed by files beside the kill memory, so that a
 * replica that takes the place of another one has its number, its history, and its kill.
 */

import cluster from 'node:cluster';
import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isMainThread, threadId } from 'node:worker_threads';

import { isAgentId } from './protocol/agentId.js';
import { claimText, monotonicMs, type ReplicaClaim } from './replicaClaim.js';

/** Tells forked children which agents their parent runs: `PID NAME,NAME`. */
const PARENT_VARIABLE = 'HEARTLINE_NODE_PARENT';
const NUMBER_MAX = 10_000;
/** For so long a new claim holds; then the thread's sender renews it with each beat. */
const FIRST_CLAIM_MS = 60_000;
const LOCK_TRIES = 200;
const LOCK_STALE_MS = 5_000;

export interface Replica {
  readonly agent: string;
  /** By which the number is held; null where there is no directory for it. */
  readonly claim: ReplicaClaim | null;
  /** Gives the number back. */
  release(): void;
}

/** Tells children that are forked from now on that they are replicas of this agent. */
export function announceToChildren(name: string): void {
  if (!isMainThread) return;
  const { parent, names } = parentAgents();
  const own = parent === process.pid ? names : [];
  process.env[PARENT_VARIABLE] = `${process.pid} ${[...new Set([...own, name])].join(',')}`;
}

/** Returns the replica that this thread or process is to be; null where it is the agent itself. */
export function claimReplica(name: string, stateDir: string | null): Replica | null {
  if (!isReplica(name) || !isAgentId(name)) return null;
  const dir = stateDir === null ? null : join(stateDir, `${name}.replicas`);
  const holder = `${process.pid} ${startTime(process.pid)} ${threadId}`;
  const number = dir === null ? null : claimNumber(dir, holder);
  if (dir === null || number === null) {
    const fallback = cluster.worker?.id ?? (isMainThread ? process.pid : threadId);
    return { agent: `${name}.${fallback}`, claim: null, release: () => {} };
  }
  const path = join(dir, String(number));
  const release = (): void => rmSync(path, { force: true });
  process.on('exit', release);
  return { agent: `${name}.${number}`, claim: { path, holder }, release };
}

function isReplica(name: string): boolean {
  if (!isMainThread || cluster.isWorker) return true;
  const { parent, names } = parentAgents();
  return process.channel !== undefined && parent === process.ppid && names.includes(name);
}

function parentAgents(): { parent: number; names: string[] } {
  const [parent = '', names = ''] = (process.env[PARENT_VARIABLE] ?? '').split(' ');
  return { parent: Number(parent), names: names.split(',') };
}

/** Claims the lowest free number; null where files can't be written. */
function claimNumber(dir: string, holder: string): number | null {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const unlock = lock(join(dir, 'lock'));
    try {
      for (let number = 1; number <= NUMBER_MAX; number += 1) {
        const path = join(dir, String(number));
        if (isHeld(path)) continue;
        writeFileSync(`${path}.new`, claimText(holder, FIRST_CLAIM_MS), { mode: 0o600 });
        renameSync(`${path}.new`, path);
        return number;
      }
    } finally {
      unlock();
    }
  } catch {
    // The directory is full or not ours: the number of the worker serves.
  }
  return null;
}

/** Takes the lock of a directory; one whose holder has died is broken. */
function lock(path: string): () => void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = 0; tries < LOCK_TRIES; tries += 1) {
    try {
      mkdirSync(path);
      return () => rmdirSync(path);
    } catch {
      const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > LOCK_STALE_MS) rmdirSync(path);
      else Atomics.wait(pause, 0, 0, 5);
    }
  }
  throw new Error('the lock is held');
}

/** Returns whether the holder of a claim lives. */
function isHeld(path: string): boolean {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return false;
  }
  const [pid = 0, started = 0, thread = 0, heldUntil = 0] = text.split(' ').map(Number);
  if (pid <= 0 || !isAlive(pid) || started !== startTime(pid)) return false;
  return pid !== process.pid || (thread !== threadId && monotonicMs() < heldUntil);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Returns when a process has started, so that another one of its number is told apart; 0: unknown. */
function startTime(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? 0);
  } catch {
    return 0;
  }
}
