/** Agent ids and scopes (`SPEC.md`, section 2). */

import { AGENT_ID_MAX } from './limits.js';

const ALPHABET = /^[a-z0-9._-]$/;

/** Returns what is wrong with an agent id, as a sentence for its user; null if it is valid. */
export function agentIdFault(id: string): string | null {
  const bytes = Buffer.from(id, 'utf8');
  if (bytes.length === 0) return 'an agent id must not be empty; use 1 to 63 of a-z 0-9 . _ -';
  if (bytes.length > AGENT_ID_MAX) {
    return `an agent id has at most 63 bytes, this one has ${bytes.length}`;
  }
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] as number;
    if (byte >= 0x80 || !ALPHABET.test(String.fromCharCode(byte))) {
      const hex = `0x${byte.toString(16).padStart(2, '0')}`;
      return `byte ${at} of the agent id (${hex}) is not one of a-z 0-9 . _ -`;
    }
  }
  if (id.startsWith('-') || id.startsWith('.')) {
    return `an agent id must not start with \`${id[0]}\`; let it begin with one of a-z 0-9 _`;
  }
  return null;
}

/** Returns whether a text is an agent id. */
export function isAgentId(id: string): boolean {
  return agentIdFault(id) === null;
}

/** Returns whether a scope covers an agent id. */
export function scopeCovers(scope: string, agent: string): boolean {
  return agent.startsWith(scope) && (scope === '' || scope === agent || scope.endsWith('.'));
}
