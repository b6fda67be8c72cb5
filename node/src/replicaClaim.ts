/** The file by which a replica holds its number. */

/** The file, and who holds the number: process, its start, thread. */
export interface ReplicaClaim {
  readonly path: string;
  readonly holder: string;
}

/**
 * Returns what a claim's file says. The time until which it holds is one of the process's monotonic
 * clock: it tells, within the process, whether the thread still runs.
 */
export function claimText(holder: string, heldForMs: number): string {
  return `${holder} ${monotonicMs() + heldForMs}\n`;
}

export function monotonicMs(): number {
  return process.hrtime()[0] * 1e3;
}
