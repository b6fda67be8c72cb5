/** The point at which a budget is used up, in an emitter's own count (`SPEC.md`, section 12.1). */

import type { BudgetUnit } from '../protocol/bodies.js';

/** Sums of work since the first segment. */
export interface WorkSums {
  readonly ok: number;
  readonly failed: number;
  readonly costNanoUsd: number;
  readonly tokensIn: number;
  readonly tokensOut: number;
}

export const NO_WORK: WorkSums = { ok: 0, failed: 0, costNanoUsd: 0, tokensIn: 0, tokensOut: 0 };

/** Limit to what an emitter may count of one unit before it starts no new task. */
export interface SpendingLimit {
  readonly unit: BudgetUnit;
  /** The sum at which nothing is left. */
  readonly total: number;
}

/** Returns the amount of a unit in some work. */
export function amountOf(unit: BudgetUnit, work: WorkSums): number {
  if (unit === 'tasks') return work.ok + work.failed;
  return unit === 'cost' ? work.costNanoUsd : work.tokensIn + work.tokensOut;
}

/** Returns the sum of some work and `sign` times other work. */
export function combine(work: WorkSums, other: WorkSums, sign: 1 | -1): WorkSums {
  return {
    ok: work.ok + sign * other.ok,
    failed: work.failed + sign * other.failed,
    costNanoUsd: work.costNanoUsd + sign * other.costNanoUsd,
    tokensIn: work.tokensIn + sign * other.tokensIn,
    tokensOut: work.tokensOut + sign * other.tokensOut,
  };
}
