/** Limits of the protocol (`SPEC.md`, section 15). */

export const DATAGRAM_MAX = 1_200;
export const DATAGRAM_MIN = 75;
export const AGENT_ID_MAX = 63;
/** A body of a message from an agent is at least this long, so that its answer never is longer. */
export const BODY_MIN = 64;
export const NESTING_MAX = 4;
export const ELEMENTS_MAX = 64;
export const STEP_MAX = 64;
export const TEXT_MAX = 128;
export const LABEL_KEY_MAX = 32;
export const LABELS_MAX = 16;
export const DEPENDS_MAX = 16;
/** Largest count of a segment's field. */
export const COUNT_MAX = 2 ** 53;
export const INTERVAL_MIN_MS = 100;
export const INTERVAL_MAX_MS = 3_600_000;
export const INTERVAL_DEFAULT_MS = 30_000;
/** What a collector takes for a setting of its own, and what the wire holds. */
export const STALL_AFTER_MIN_MS = 1_000;
export const STALL_AFTER_MAX_MS = 720 * 3_600_000;
export const GENERATION_MAX = 2n ** 63n - 1n;
