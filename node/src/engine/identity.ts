/** Identity of an agent, as it can be sent (`SPEC.md`, section 7.2). */

import { type Identity, identityLength } from '../protocol/bodies.js';
import { DEPENDS_MAX, LABEL_KEY_MAX, LABELS_MAX, TEXT_MAX } from '../protocol/limits.js';
import { BodyWriter } from '../protocol/msgpack.js';
import { scrubTo } from '../protocol/text.js';

/** Longest identity, in bytes on the wire: a beat has room for it beside all but a segment. */
const IDENTITY_MAX = 800;
const TEXTS = ['host', 'group', 'version', 'framework', 'sdk'] as const;

/**
 * Returns an identity as it can be sent: texts scrubbed and cut to their limits, then labels and
 * dependencies dropped from the end until the rest fits a beat.
 */
export function fitIdentity(identity: Identity): Identity {
  const labels = new Map<string, string>();
  for (const [key, value] of identity.labels.slice(0, LABELS_MAX)) {
    labels.set(scrubTo(key, LABEL_KEY_MAX), scrubTo(value, TEXT_MAX));
  }
  let fitted: Identity = {
    ...identity,
    labels: [...labels],
    depends: identity.depends.slice(0, DEPENDS_MAX),
  };
  for (const key of TEXTS) {
    const text = identity[key];
    if (text !== undefined) fitted = { ...fitted, [key]: scrubTo(text, TEXT_MAX) };
  }
  const writer = new BodyWriter();
  while (identityLength(writer, fitted) > IDENTITY_MAX) {
    if (fitted.labels.length > 0) fitted = { ...fitted, labels: fitted.labels.slice(0, -1) };
    else fitted = { ...fitted, depends: fitted.depends.slice(0, -1) };
  }
  return fitted;
}

/** Returns whether two identities say the same. */
export function sameIdentity(one: Identity, other: Identity): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
