/** Start of an emitter. */

import { isMainThread } from 'node:worker_threads';

import { isProblem, readCredentials } from './credentials.js';
import { processState } from './current.js';
import { Emitter } from './emitter.js';
import { AppliedStates } from './engine/appliedStates.js';
import { Heartline } from './heartline.js';
import { KillMemory } from './killMemory.js';
import type { StartOptions } from './options.js';
import type { Problem } from './problem.js';
import { sayGoodbyeAtEnd, sayGoodbyeNoMore } from './processEnd.js';
import { announceToChildren, claimReplica } from './replica.js';
import type { ReplicaClaim } from './replicaClaim.js';
import { resolveSettings, resolveStateDir, type Settings } from './settings.js';
import { sayGoodbyeAtSignals } from './signals.js';

/**
 * Starts an emitter for the agent of this name: 1 to 63 of `a-z 0-9 . _ -`. Never throws and never
 * waits for the network: problems are in `status()`, and are logged once. A second start of the same
 * name in one process returns the running handle.
 */
export function start(name: string, options: StartOptions = {}): Heartline {
  const { handles } = processState();
  const asked = String(name);
  const running = handles.get(asked);
  if (running !== undefined && !running.isStopped) return running;
  const given = typeof options === 'object' && options !== null ? options : {};
  const emitter = startEmitter(asked, given);
  const handle = new Heartline(emitter);
  handles.delete(asked);
  handles.set(asked, handle);
  if (emitter.hasSender) {
    announceToChildren(asked);
    sayGoodbyeAtEnd(emitter);
    if (given.goodbyeOnSignals !== false) sayGoodbyeAtSignals(emitter);
    emitter.onStopped = () => {
      sayGoodbyeNoMore(emitter);
      if (handles.get(asked) === handle) handles.delete(asked);
    };
  }
  return handle;
}

function startEmitter(asked: string, options: StartOptions): Emitter {
  const problems: Problem[] = [];
  const stateDir = resolveStateDir(options, process.env);
  const replica = options.replicas === false ? null : claimReplica(asked, stateDir);
  const agent = replica?.agent ?? asked;
  const group = options.group ?? (replica === null ? undefined : asked);
  const settings = resolveSettings(agent, { ...options, group }, process.env, problems);
  if ('kind' in settings) return new Emitter(agent, options, [settings, ...problems]);
  const { emitter, hasSender } = launch(settings, options, problems, replica?.claim ?? null);
  if (!hasSender) replica?.release();
  return emitter;
}

/** Starts the sender, unless it could never send. */
function launch(
  settings: Settings,
  options: StartOptions,
  problems: Problem[],
  replicaClaim: ReplicaClaim | null,
): { emitter: Emitter; hasSender: boolean } {
  const { agent, stateDir } = settings;
  const credentials = readCredentials(settings.token, agent);
  const fleet = isProblem(credentials) ? null : credentials.fleet;
  // Before the agent has the handle, so that not one task starts: a kill outlives a restart.
  const remembered =
    stateDir === null
      ? { applied: AppliedStates.none, problems: [] }
      : new KillMemory(stateDir, agent).read(fleet);
  const { applied, problems: memoryProblems } = remembered;
  if (isProblem(credentials) && settings.token.kind !== 'file') problems.push(credentials);
  const canSend =
    settings.collectors.length > 0 && !(isProblem(credentials) && settings.token.kind !== 'file');
  const emitter = new Emitter(agent, options, problems);
  if (canSend) {
    const holdsSignals = isMainThread && options.goodbyeOnSignals !== false;
    const { states } = applied;
    emitter.launch({ ...settings, applied: states, memoryProblems, holdsSignals, replicaClaim });
  } else {
    emitter.holdWithoutSender(applied.isKilled, memoryProblems);
  }
  return { emitter, hasSender: emitter.hasSender };
}
