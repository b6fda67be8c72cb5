/** What a token gives its agent. */

import { closeSync, openSync, readSync } from 'node:fs';

import { type Problem, problem, reasonOf } from './problem.js';
import type { AgentKeys } from './protocol/keys.js';
import { agentKeys, parseToken, type Token, TokenError } from './protocol/token.js';
import type { TokenSource } from './shared/messages.js';

/** Longer than any token. */
const LENGTH_MAX = 1_024;

export interface Credentials {
  readonly keys: AgentKeys;
  /** Short name of the fleet, to tell its files from those of others. */
  readonly fleet: string;
}

/** Derives the credentials of an agent from the token as it is now. */
export function readCredentials(source: TokenSource, agent: string): Credentials | Problem {
  const text = tokenText(source);
  if (typeof text !== 'string') return text;
  let token: Token;
  try {
    token = parseToken(text);
  } catch (error) {
    if (error instanceof TokenError) return problem('BadToken', error.message);
    throw error;
  }
  const keys = agentKeys(token, agent);
  if (keys !== null) return { keys, fleet: token.check };
  const message =
    `the token is for scope ${JSON.stringify(token.scope)}, which does not cover agent ` +
    `${JSON.stringify(agent)}; make one with \`heartline token --agent ${agent}\``;
  return problem('OutOfScope', message);
}

export function isProblem(value: Credentials | Problem): value is Problem {
  return 'kind' in value;
}

function tokenText(source: TokenSource): string | Problem {
  if (source.kind === 'text') return source.text;
  if (source.kind === 'unknown') {
    const unset = '(neither XDG_STATE_HOME nor HOME is set)';
    return problem('NoTokenPath', `no token: set HEARTLINE_TOKEN or HEARTLINE_TOKEN_FILE ${unset}`);
  }
  try {
    return readStart(source.path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      const remedy = 'start heartlined as the same user, or set HEARTLINE_TOKEN';
      return problem('NoToken', `no token at ${source.path}: ${remedy}`);
    }
    return problem('TokenUnreadable', `can't read the token at ${source.path}: ${reasonOf(error)}`);
  }
}

function readStart(path: string): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(LENGTH_MAX);
    return bytes.toString('latin1', 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}
