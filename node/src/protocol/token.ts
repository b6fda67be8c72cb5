/** Tokens: how an emitter is given its key (`SPEC.md`, section 4). */

import { createHash } from 'node:crypto';

import { agentIdFault, scopeCovers } from './agentId.js';
import { type AgentKeys, deriveAgentKey, Direction } from './keys.js';
import { AGENT_ID_MAX } from './limits.js';

const PREFIX = 'hl1.';
const KEY_LENGTH = 32;
const CHECK_LENGTH = 4;

export interface Token {
  readonly epoch: number;
  readonly scope: string;
  readonly scopeKey: Buffer;
  /** Checksum as 8 hexadecimal digits; it tells the files of fleets apart (section 12). */
  readonly check: string;
}

export type TokenFault = 'NotAToken' | 'Damaged' | 'BadScope';

/** Error of a token; its message holds nothing of the token. */
export class TokenError extends Error {
  constructor(
    readonly fault: TokenFault,
    message: string,
  ) {
    super(message);
    this.name = 'TokenError';
  }
}

/** Parses a token; white space around it is ignored. Throws {@link TokenError}. */
export function parseToken(text: string): Token {
  const trimmed = text.trim();
  if (!trimmed.startsWith(PREFIX)) {
    throw new TokenError(
      'NotAToken',
      'a token starts with "hl1."; make one with `heartline token`',
    );
  }
  const encoded = trimmed.slice(PREFIX.length);
  const raw = Buffer.from(encoded, 'base64url');
  // The decoder of Node skips what it does not know: only what it writes itself is exact.
  if (raw.toString('base64url') !== encoded) throw damaged();
  const scopeLength = raw[1] ?? AGENT_ID_MAX + 1;
  if (scopeLength > AGENT_ID_MAX) throw damaged();
  if (raw.length !== 2 + scopeLength + KEY_LENGTH + CHECK_LENGTH) throw damaged();
  const checked = raw.subarray(0, -CHECK_LENGTH);
  const check = createHash('sha256').update(checked).digest().subarray(0, CHECK_LENGTH);
  if (!check.equals(raw.subarray(-CHECK_LENGTH))) throw damaged();
  const scopeBytes = raw.subarray(2, 2 + scopeLength);
  const scope = scopeBytes.toString('utf8');
  if (!Buffer.from(scope).equals(scopeBytes)) throw damaged();
  const fault = scope === '' ? null : agentIdFault(scope);
  if (fault !== null) {
    throw new TokenError('BadScope', `the token's scope is not valid: ${fault}`);
  }
  const scopeKey = Buffer.from(checked.subarray(2 + scopeLength));
  return { epoch: raw[0] as number, scope, scopeKey, check: check.toString('hex') };
}

/** Derives the keys of an agent; null if the token's scope does not cover it. */
export function agentKeys(token: Token, agent: string): AgentKeys | null {
  if (!scopeCovers(token.scope, agent)) return null;
  return {
    epoch: token.epoch,
    scopeLength: Buffer.byteLength(token.scope),
    up: deriveAgentKey(token.scopeKey, Direction.Up, agent),
    down: deriveAgentKey(token.scopeKey, Direction.Down, agent),
  };
}

function damaged(): TokenError {
  return new TokenError(
    'Damaged',
    'the token is damaged (cut off or mistyped); copy it again from `heartline token`',
  );
}
