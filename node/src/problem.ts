/** Problems of an emitter: each text says what is wrong and what to do. */

export type ProblemKind =
  | 'Disabled'
  | 'BadName'
  | 'BadDependency'
  | 'BadCollector'
  | 'BadInterval'
  | 'IntervalOutOfRange'
  | 'BadStallAfter'
  | 'StallAfterOutOfRange'
  | 'BadSetting'
  | 'IdentityShortened'
  | 'NoToken'
  | 'NoTokenPath'
  | 'TokenUnreadable'
  | 'BadToken'
  | 'OutOfScope'
  | 'Unresolved'
  | 'Socket'
  | 'Unanswered'
  | 'NeverConfirmed'
  | 'StateUnreadable'
  | 'UnattributedKill'
  | 'StateUnwritable'
  | 'NoStateDir'
  | 'ThreadNotStarted'
  | 'SenderFailed'
  | 'Misuse';

/** Problem of an emitter. None reaches the agent as an error: they are in `status().problems`. */
export interface Problem {
  readonly kind: ProblemKind;
  /** Sentence for a person. */
  readonly message: string;
}

export function problem(kind: ProblemKind, message: string): Problem {
  return { kind, message };
}

/** Returns an error's message, without its stack, whatever was thrown. */
export function reasonOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return 'an unknown error';
  }
}
