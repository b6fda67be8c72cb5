/** Envelope of a datagram (`SPEC.md`, section 3). */

import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';

import { isAgentId, scopeCovers } from './agentId.js';
import { hmacSha256 } from './keys.js';
import { AGENT_ID_MAX, DATAGRAM_MAX, DATAGRAM_MIN } from './limits.js';
import { readUint64, type Uint, writeUint64 } from './uint.js';

export const enum MessageType {
  Beat = 0x01,
  Goodbye = 0x02,
  ExitReport = 0x03,
  Ack = 0x81,
  Push = 0x82,
}

const MAGIC = Buffer.from('HLN1');
const TYPES: readonly number[] = [0x01, 0x02, 0x03, 0x81, 0x82];
const TAG_LENGTH = 32;
export const CHALLENGE_LENGTH = 16;
export const SESSION_LENGTH = 8;

export interface Header {
  readonly type: MessageType;
  readonly epoch: number;
  readonly scopeLength: number;
  readonly agent: string;
  /** 16 hexadecimal digits. */
  readonly session: string;
  readonly sequence: Uint;
  readonly challenge: Buffer;
}

export type EnvelopeFault =
  | 'BadLength'
  | 'BadMagic'
  | 'BadKind'
  | 'BadAgent'
  | 'BadBodyLength'
  | 'BadScope'
  | 'BadSequence'
  | 'BadTag'
  | 'BadBody';

/** Error of a datagram that must be dropped, with the step that found it and, of a body, its fault. */
export class Refused extends Error {
  constructor(
    readonly step: 'parse' | 'direction' | 'verify' | 'decode',
    readonly fault: EnvelopeFault,
    readonly bodyFault?: string,
  ) {
    super(bodyFault === undefined ? fault : `${fault}/${bodyFault}`);
    this.name = 'Refused';
  }
}

/** A datagram of the right form that nothing vouches for yet; {@link verify} opens it. */
export interface ParsedDatagram {
  /** What the header claims. */
  readonly claimed: Header;
  readonly bytes: Buffer;
}

/** Parses the form of a datagram, and checks its direction. Throws {@link Refused}. */
export function parseDatagram(bytes: Buffer, direction: 'up' | 'down'): ParsedDatagram {
  const refuse = (fault: EnvelopeFault): Refused => new Refused('parse', fault);
  if (bytes.length < DATAGRAM_MIN || bytes.length > DATAGRAM_MAX) throw refuse('BadLength');
  if (bytes.compare(MAGIC, 0, 4, 0, 4) !== 0) throw refuse('BadMagic');
  const type = bytes.readUInt8(4);
  if (!TYPES.includes(type)) throw refuse('BadKind');
  const bodyLength = bytes.readUInt16BE(6);
  const scopeLength = bytes.readUInt8(8);
  const idLength = bytes.readUInt8(9);
  if (idLength < 1 || idLength > AGENT_ID_MAX) throw refuse('BadAgent');
  if (74 + idLength + bodyLength !== bytes.length) throw refuse('BadBodyLength');
  const agent = bytes.toString('latin1', 10, 10 + idLength);
  if (!isAgentId(agent)) throw refuse('BadAgent');
  if (scopeLength > idLength || !scopeCovers(agent.slice(0, scopeLength), agent)) {
    throw refuse('BadScope');
  }
  const sequence = readUint64(bytes, 18 + idLength);
  if (sequence === 0) throw refuse('BadSequence');
  if (type >= 0x80 !== (direction === 'down')) throw new Refused('direction', 'BadKind');
  const claimed: Header = {
    type,
    epoch: bytes.readUInt8(5),
    scopeLength,
    agent,
    session: bytes.toString('hex', 10 + idLength, 18 + idLength),
    sequence,
    challenge: Buffer.from(bytes.subarray(26 + idLength, 42 + idLength)),
  };
  return { claimed, bytes };
}

/** Verifies the tag, in constant time, and returns the body. Throws {@link Refused}. */
export function verifyDatagram({ bytes, claimed }: ParsedDatagram, key: KeyObject): Buffer {
  const covered = bytes.subarray(0, -TAG_LENGTH);
  if (!timingSafeEqual(hmacSha256(key, covered), bytes.subarray(-TAG_LENGTH))) {
    throw new Refused('verify', 'BadTag');
  }
  return covered.subarray(42 + claimed.agent.length);
}

/** Writes the datagram of a header and a body; null if it would be too long. */
export function sealDatagram(header: Header, body: Uint8Array, key: KeyObject): Buffer | null {
  const idLength = header.agent.length;
  const covered = 42 + idLength + body.length;
  if (covered + TAG_LENGTH > DATAGRAM_MAX) return null;
  const bytes = Buffer.alloc(covered + TAG_LENGTH);
  MAGIC.copy(bytes);
  bytes.writeUInt8(header.type, 4);
  bytes.writeUInt8(header.epoch, 5);
  bytes.writeUInt16BE(body.length, 6);
  bytes.writeUInt8(header.scopeLength, 8);
  bytes.writeUInt8(idLength, 9);
  bytes.write(header.agent, 10, 'latin1');
  bytes.write(header.session, 10 + idLength, 'hex');
  writeUint64(bytes, 18 + idLength, header.sequence);
  header.challenge.copy(bytes, 26 + idLength);
  bytes.set(body, 42 + idLength);
  createHmac('sha256', key).update(bytes.subarray(0, covered)).digest().copy(bytes, covered);
  return bytes;
}
