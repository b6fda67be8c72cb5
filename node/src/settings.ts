/** Settings of the emitter, resolved from arguments, environment and defaults. */

import { hostname } from 'node:os';
import { join } from 'node:path';

import { COLLECTOR_DEFAULT, parseCollectors } from './collectorAddress.js';
import { fitIdentity, sameIdentity } from './engine/identity.js';
import type { StartOptions } from './options.js';
import { type Problem, problem } from './problem.js';
import { agentIdFault } from './protocol/agentId.js';
import type { Identity } from './protocol/bodies.js';
import {
  INTERVAL_DEFAULT_MS,
  INTERVAL_MAX_MS,
  INTERVAL_MIN_MS,
  STALL_AFTER_MAX_MS,
  STALL_AFTER_MIN_MS,
} from './protocol/limits.js';
import type { TokenSource } from './shared/messages.js';
import { VERSION } from './version.js';

/** Resolved settings of an emitter. */
export interface Settings {
  readonly agent: string;
  /** Empty if no address is well-formed: nothing is sent then. */
  readonly collectors: readonly string[];
  readonly token: TokenSource;
  readonly intervalMs: number;
  /** null: the collector's setting. */
  readonly stallAfterMs: number | null;
  readonly stateDir: string | null;
  readonly identity: Identity;
}

type Environment = Readonly<Record<string, string | undefined>>;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3_600e3 };
const TEXTS = [
  'collector',
  'token',
  'tokenFile',
  'stateDir',
  'host',
  'group',
  'version',
  'framework',
] as const;
const DURATIONS = [
  ['interval', '30s'],
  ['stallAfter', '20m'],
] as const;

/**
 * Resolves arguments, then environment, then defaults (`SPEC.md`, section 17). Returns the problem
 * if nothing can be sent; others are added to `problems`.
 */
export function resolveSettings(
  agent: string,
  options: StartOptions,
  environment: Environment,
  problems: Problem[],
): Settings | Problem {
  const env = (name: string): string | undefined => environment[name] || undefined;
  const disabled = env('HEARTLINE_DISABLE');
  if (disabled !== undefined && disabled !== '0') {
    return problem('Disabled', 'HEARTLINE_DISABLE is set: nothing is sent');
  }
  const fault = agentIdFault(agent);
  if (fault !== null) {
    return problem('BadName', `${JSON.stringify(agent)} can't be an agent's name: ${fault}`);
  }
  const given = wellTyped(options, problems);
  const stateDir = resolveStateDir(given, environment);
  if (stateDir === null) {
    const unset = '(neither XDG_STATE_HOME nor HOME is set)';
    const message = `a kill would be lost at a restart: set HEARTLINE_STATE_DIR ${unset}`;
    problems.push(problem('NoStateDir', message));
  }
  const { collectors, problems: bad } = parseCollectors(
    given.collector ?? env('HEARTLINE_COLLECTOR') ?? COLLECTOR_DEFAULT,
  );
  problems.push(...bad);
  return {
    agent,
    collectors,
    token: tokenSource(given, env, stateHome(environment)),
    intervalMs: resolveInterval(given.interval ?? env('HEARTLINE_INTERVAL'), problems),
    stallAfterMs: resolveStallAfter(given.stallAfter, problems),
    stateDir,
    identity: resolveIdentity(given, problems),
  };
}

/** Returns the directory in which a kill is stored; null if there is none. */
export function resolveStateDir(options: StartOptions, environment: Environment): string | null {
  if (typeof options.stateDir === 'string') return options.stateDir;
  const home = stateHome(environment);
  const own = home === null ? null : join(home, 'agents');
  return environment['HEARTLINE_STATE_DIR'] || own;
}

function stateHome(environment: Environment): string | null {
  const home = environment['HOME'];
  const state = environment['XDG_STATE_HOME'] || (home ? join(home, '.local/state') : null);
  return state === null ? null : join(state, 'heartline');
}

/** Returns the options without those of another type than documented. */
function wellTyped(options: StartOptions, problems: Problem[]): StartOptions {
  const kept: Record<string, unknown> = { ...options };
  const leaveOut = (key: string, wanted: string): void => {
    if (kept[key] !== undefined && kept[key] !== null) {
      const message = `the option ${key} is left out: it has to be ${wanted}`;
      problems.push(problem('BadSetting', message));
    }
    delete kept[key];
  };
  for (const key of TEXTS) if (typeof kept[key] !== 'string') leaveOut(key, 'a text');
  const isTexts = (values: unknown[]): boolean => values.every((it) => typeof it === 'string');
  const { labels, dependsOn } = kept;
  for (const [key, example] of DURATIONS) {
    if (typeof kept[key] !== 'number' && typeof kept[key] !== 'string') {
      leaveOut(key, `a number of milliseconds or a text such as ${example}`);
    }
  }
  if (typeof labels !== 'object' || labels === null || !isTexts(Object.values(labels))) {
    leaveOut('labels', 'an object of texts');
  }
  if (!Array.isArray(dependsOn) || !isTexts(dependsOn)) leaveOut('dependsOn', 'a list of texts');
  return kept;
}

function tokenSource(
  given: StartOptions,
  env: (name: string) => string | undefined,
  home: string | null,
): TokenSource {
  const path = given.tokenFile;
  if (given.token !== undefined) return { kind: 'text', text: given.token };
  if (path !== undefined) return { kind: 'file', path };
  const text = env('HEARTLINE_TOKEN');
  if (text !== undefined) return { kind: 'text', text };
  const file = env('HEARTLINE_TOKEN_FILE');
  if (file !== undefined) return { kind: 'file', path: file };
  if (home === null) return { kind: 'unknown' };
  return { kind: 'file', path: join(home, 'local.token') };
}

function resolveInterval(asked: number | string | undefined, problems: Problem[]): number {
  if (asked === undefined) return INTERVAL_DEFAULT_MS;
  const askedMs = typeof asked === 'number' ? asked : parseIntervalMs(asked);
  if (askedMs === null || Number.isNaN(askedMs)) {
    const example = 'a whole number and a unit, such as 30s or 500ms';
    const message =
      `the interval ${JSON.stringify(String(asked))} is not ${example}; ` +
      `using ${INTERVAL_DEFAULT_MS} ms`;
    problems.push(problem('BadInterval', message));
    return INTERVAL_DEFAULT_MS;
  }
  const usedMs = Math.round(Math.min(Math.max(askedMs, INTERVAL_MIN_MS), INTERVAL_MAX_MS));
  if (usedMs !== Math.round(askedMs)) {
    const range = 'is outside of 100 ms to 1 h';
    const message = `the interval of ${askedMs} ms ${range}; using ${usedMs} ms`;
    problems.push(problem('IntervalOutOfRange', message));
  }
  return usedMs;
}

function resolveStallAfter(
  asked: number | string | undefined,
  problems: Problem[],
): number | null {
  if (asked === undefined) return null;
  const askedMs = typeof asked === 'number' ? asked : parseIntervalMs(asked);
  if (askedMs === null || Number.isNaN(askedMs) || askedMs <= 0) {
    const example = 'a whole number and a unit, such as 20m or 90s';
    const message =
      `the stallAfter ${JSON.stringify(String(asked))} is not ${example}; ` +
      "using the collector's setting";
    problems.push(problem('BadStallAfter', message));
    return null;
  }
  const usedMs = Math.round(Math.min(Math.max(askedMs, STALL_AFTER_MIN_MS), STALL_AFTER_MAX_MS));
  if (usedMs !== Math.round(askedMs)) {
    const range = 'is outside of 1 s to 720 h';
    const message = `the stallAfter of ${askedMs} ms ${range}; using ${usedMs} ms`;
    problems.push(problem('StallAfterOutOfRange', message));
  }
  return usedMs;
}

/** Parses a whole number and its unit: `500ms`, `30s`, `2m`, `1h`. */
export function parseIntervalMs(text: string): number | null {
  const [, number, unit] = /^(\d+)\s*(ms|s|m|h)$/.exec(text.trim()) ?? [];
  if (number === undefined || unit === undefined) return null;
  const ms = Number(number) * (UNIT_MS[unit] as number);
  return Number.isSafeInteger(ms) ? ms : null;
}

function resolveIdentity(given: StartOptions, problems: Problem[]): Identity {
  const depends = (given.dependsOn ?? []).filter((name) => {
    const fault = agentIdFault(name);
    if (fault !== null) {
      const message = `the dependency ${JSON.stringify(name)} is left out: ${fault}`;
      problems.push(problem('BadDependency', message));
    }
    return fault === null;
  });
  const identity: Identity = {
    host: given.host ?? hostname(),
    ...(given.group !== undefined && { group: given.group }),
    ...(given.version !== undefined && { version: given.version }),
    ...(given.framework !== undefined && { framework: given.framework }),
    sdk: `node ${VERSION}`,
    pid: process.pid,
    labels: Object.entries(given.labels ?? {}),
    depends,
  };
  const fitted = fitIdentity(identity);
  if (!sameIdentity(fitted, identity)) {
    const message =
      "the identity is too large or has characters that can't be shown; it was shortened";
    problems.push(problem('IdentityShortened', message));
  }
  return fitted;
}
