/** Writing of an emitter's messages. */

import { type AgentKeys } from '../protocol/keys.js';
import { type Beat, writeBeat, writeGoodbye, type Goodbye } from '../protocol/bodies.js';
import { MessageType, sealDatagram } from '../protocol/envelope.js';
import { BodyWriter } from '../protocol/msgpack.js';

/** What every message of a session says in its envelope. */
export interface MessageHead {
  readonly agent: string;
  readonly session: string;
  readonly sequence: number;
  readonly challenge: Buffer;
}

export class MessageWriter {
  readonly #body = new BodyWriter();

  constructor(public keys: AgentKeys) {}

  /** Writes a beat; without its segment if there is no room for it beside the identity. */
  beat(head: MessageHead, beat: Beat): { datagram: Buffer; hasSegment: boolean } | null {
    const whole = this.#seal(head, MessageType.Beat, writeBeat(this.#body, beat));
    if (whole !== null) return { datagram: whole, hasSegment: beat.segment !== null };
    const body = writeBeat(this.#body, { ...beat, segment: null });
    const datagram = this.#seal(head, MessageType.Beat, body);
    return datagram === null ? null : { datagram, hasSegment: false };
  }

  goodbye(head: MessageHead, goodbye: Goodbye): Buffer | null {
    return this.#seal(head, MessageType.Goodbye, writeGoodbye(this.#body, goodbye));
  }

  #seal(head: MessageHead, type: MessageType, body: Buffer): Buffer | null {
    const { epoch, scopeLength, up } = this.keys;
    return sealDatagram({ ...head, type, epoch, scopeLength }, body, up);
  }
}
