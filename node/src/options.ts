/** Arguments of {@link start}; what is not set comes from the environment, then from the defaults. */

/**
 * What a new task does while the agent is killed: wait until it is resumed, or raise
 * {@link AgentKilled}. A function is called when the agent is killed, and tasks wait.
 */
export type OnKill = 'wait' | 'raise' | (() => unknown);

export interface StartOptions {
  /** `host:port` or `[v6]:port` of the collector; of several, with commas between them. */
  readonly collector?: string | undefined;
  /** Token (`hl1.…`), as `heartline token` prints it. */
  readonly token?: string | undefined;
  /** Path of a token file. It may be created later, and may change. */
  readonly tokenFile?: string | undefined;
  /** Time between beats, in ms or as text: `30s`, `500ms`. 100 ms to 1 h, 30 s by default. */
  readonly interval?: number | string | undefined;
  /**
   * Time without progress after which the agent counts as stalled, in ms or as text: `20m`. 1 s to
   * 720 h; by default the collector's setting, which is 5 minutes.
   */
  readonly stallAfter?: number | string | undefined;
  /** Directory in which a kill is stored. */
  readonly stateDir?: string | undefined;
  /** Name of the machine, which is otherwise the system's. */
  readonly host?: string | undefined;
  /** Group that the agent and its replicas belong to. */
  readonly group?: string | undefined;
  /** Version of the agent's program. */
  readonly version?: string | undefined;
  /** Name and version of the framework it is built with. */
  readonly framework?: string | undefined;
  /** To filter and group by; at most 16. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Agents that this one depends on; at most 16. */
  readonly dependsOn?: readonly string[] | undefined;
  readonly onKill?: OnKill | undefined;
  /** Called when the agent is resumed. */
  readonly onResume?: (() => unknown) | undefined;
  /** Says goodbye at SIGTERM and SIGINT where the program does not handle them; true by default. */
  readonly goodbyeOnSignals?: boolean | undefined;
  /**
   * Whether a worker thread, a cluster worker or a forked child of an agent takes the name of a
   * replica, `NAME.1`; true by default.
   */
  readonly replicas?: boolean | undefined;
  /** Receives each warning, instead of standard error. */
  readonly log?: ((message: string) => void) | undefined;
}
