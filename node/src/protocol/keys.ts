/** Derivation of keys, and tags (`SPEC.md`, sections 3 and 4). */

import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

/** Direction of a message. Keys differ by direction, so that no message can be reflected. */
export const enum Direction {
  Up = 0,
  Down = 1,
}

/** Both keys of one agent. */
export interface AgentKeys {
  readonly epoch: number;
  readonly scopeLength: number;
  /** Agent to collector. */
  readonly up: KeyObject;
  /** Collector to agent. */
  readonly down: KeyObject;
}

/** Computes HMAC-SHA256. */
export function hmacSha256(key: KeyObject | Uint8Array | string, message: Uint8Array): Buffer {
  return createHmac('sha256', key).update(message).digest();
}

/** Derives a scope's key from a master key. */
export function deriveScopeKey(master: Uint8Array, epoch: number, scope: string): Buffer {
  return hkdf('heartline/1 scope', master, Buffer.concat([Buffer.of(epoch), Buffer.from(scope)]));
}

/** Derives the key of one agent and direction from the key of a scope. */
export function deriveAgentKey(
  scopeKey: Uint8Array,
  direction: Direction,
  agent: string,
): KeyObject {
  const info = Buffer.concat([Buffer.of(direction), Buffer.from(agent)]);
  return createSecretKey(hkdf('heartline/1 agent', scopeKey, info));
}

/** HKDF of RFC 5869 with SHA-256, for an output of 32 bytes. */
function hkdf(salt: string, key: Uint8Array, info: Uint8Array): Buffer {
  return hmacSha256(hmacSha256(salt, key), Buffer.concat([info, Buffer.of(1)]));
}
