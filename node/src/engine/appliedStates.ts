/** The desired states that an agent has applied (`SPEC.md`, section 12). */

import type { ControlId, DesiredState } from '../protocol/bodies.js';

/** Most control ids that are remembered. */
const STATES_MAX = 16;

/**
 * The newest desired state of each control id that an agent has heard of. The agent is killed while
 * any of them says so: a collector that lost its database does not undo a kill that it knows
 * nothing of. A value: changes give a new one.
 */
export class AppliedStates {
  private constructor(
    /** The states, those applied last at the end. */
    readonly states: readonly DesiredState[],
    /** Control ids whose kill another command has lifted: it takes a newer generation to kill again. */
    private readonly lifted: readonly ControlId[],
  ) {}

  static readonly none = new AppliedStates([], []);

  /** Restores states from an earlier session; those without a control id are left out. */
  static restored(states: Iterable<DesiredState>): AppliedStates {
    let restored = AppliedStates.none;
    for (const state of states) restored = restored.apply(state, null) ?? restored;
    return restored;
  }

  /** Whether the agent is to start no work. */
  get isKilled(): boolean {
    return this.states.some((state) => state.killed);
  }

  /** Returns the state of a control id; without one, none was applied. */
  of(control: ControlId | null): DesiredState {
    const known = this.states.find((state) => state.control === control);
    return known ?? { control, generation: 0, killed: false };
  }

  /** Returns the newest kill by another control id. */
  blockedBy(control: ControlId | null): ControlId | null {
    const other = this.states.findLast((state) => state.killed && state.control !== control);
    return other?.control ?? null;
  }

  /**
   * Applies a state if it outranks the one of its control id, and lifts the kill of `lifts` then.
   * Returns null if nothing changed.
   */
  apply(state: DesiredState, lifts: ControlId | null): AppliedStates | null {
    const { control } = state;
    if (control === null) return null;
    const known = this.of(control);
    if (this.lifted.includes(control) && state.generation === known.generation) return null;
    if (!outranks(state, known)) return null;
    let states = this.states.filter((other) => other.control !== control);
    if (states.length === STATES_MAX) {
      // A kill is forgotten only when nothing else is left to forget.
      const forgotten = states.findIndex((other) => !other.killed);
      states.splice(Math.max(forgotten, 0), 1);
    }
    states.push(state);
    const lifted = this.lifted.filter((other) => other !== control);
    if (!state.killed && states.some((other) => other.control === lifts && other.killed)) {
      states = states.map((other) => {
        return other.control === lifts ? { ...other, killed: false } : other;
      });
      lifted.push(lifts as ControlId);
    }
    return new AppliedStates(states, lifted);
  }
}

/** Of two commands with one generation the kill wins. */
function outranks(state: DesiredState, known: DesiredState): boolean {
  if (state.generation === known.generation) return state.killed && !known.killed;
  return state.generation > known.generation;
}
