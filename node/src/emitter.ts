/** The emitter of one agent, on the agent's thread: what it counts, and what it was told. */

import { AgentActivity } from './shared/activity.js';
import { Counters } from './shared/counters.js';
import { TasksInFlight } from './shared/tasksInFlight.js';
import { KillGate } from './killGate.js';
import { Log } from './log.js';
import type { OnKill, StartOptions } from './options.js';
import { type Problem, problem, reasonOf } from './problem.js';
import { SenderThread, STOP_TIMEOUT_MS } from './senderThread.js';
import { unansweredProblem } from './sender/answerWatchdog.js';
import { Field, Flag, KillBit, SharedMemory, StopRequest } from './shared/memory.js';
import type { SenderConfig, SenderStatus, ToAgent } from './shared/messages.js';
import { type CollectorStatus, Status } from './status.js';

/** Most different misuses that are reported. */
const MISUSES_MAX = 16;
const NO_SENDER: SenderStatus = { links: [], tokenProblem: null, memoryProblems: [] };

export class Emitter {
  readonly memory = new SharedMemory();
  readonly counters = new Counters(this.memory);
  readonly tasks = new TasksInFlight(this.memory);
  readonly activity = new AgentActivity(this.memory);
  readonly gate = new KillGate(this.memory, (isNeeded) => this.#thread?.keepAlive(isNeeded));
  readonly onKill: OnKill;
  readonly #log: Log;
  readonly #onResume: (() => unknown) | undefined;
  readonly #problems: Problem[];
  readonly #misuses: Problem[] = [];
  #thread: SenderThread | null = null;
  #sender: SenderStatus = NO_SENDER;
  #loopDelayMs: number | null = null;
  #lastFailure: string | null = null;
  /** Called when the event loop is found to have its turns. */
  onLoopTurn: () => void = () => {};
  /** Called when the sender has stopped. */
  onStopped: () => void = () => {};
  /** Nothing is counted any more. */
  isStopped = false;

  constructor(
    readonly agent: string,
    options: StartOptions,
    problems: readonly Problem[],
  ) {
    this.#log = new Log(agent, options.log);
    this.#problems = [...problems];
    this.onKill = this.#checkedOnKill(options.onKill);
    this.#onResume = options.onResume;
    for (const { kind, message } of this.#problems)
      if (kind !== 'Disabled') this.#log.warn(message);
  }

  /** Starts the sender's thread. */
  launch(config: Omit<SenderConfig, 'memory' | 'clockOffsetMs'>): void {
    this.#applyAtStart(
      config.applied.some(({ killed }) => killed),
      config.memoryProblems,
    );
    const [seconds, nanos] = process.hrtime();
    const clockOffsetMs = seconds * 1e3 + nanos / 1e6 - performance.now();
    try {
      this.#thread = new SenderThread(
        { ...config, memory: this.memory.buffer, clockOffsetMs },
        this.memory,
        (message) => this.#onMessage(message),
      );
      const link = { connection: 'unanswered' as const, unansweredSince: null, problems: [] };
      const links = config.collectors.map((collector) => ({ collector, ...link }));
      this.#sender = { ...NO_SENDER, links, memoryProblems: config.memoryProblems };
    } catch (error) {
      this.#fail(
        problem('ThreadNotStarted', `can't start the sender's thread: ${reasonOf(error)}`),
      );
    }
  }

  /** Goes on without a sender. A kill outlives a restart all the same, also one with a bad token. */
  holdWithoutSender(isKilled: boolean, memoryProblems: readonly Problem[]): void {
    this.#applyAtStart(isKilled, memoryProblems);
    this.#sender = { ...NO_SENDER, memoryProblems };
  }

  get hasSender(): boolean {
    return this.#thread !== null;
  }

  /** Closes the gate if a budget is used up, and reports that; returns whether the gate is closed. */
  holdsTasks(): boolean {
    if (this.gate.closeIfSpent()) {
      queueMicrotask(() => this.#call(this.onKill, 'onKill'));
      this.#thread?.wake();
    }
    return this.gate.isClosed;
  }

  /** Looks whether the last task in flight has ended under a kill: an operator waits for that. */
  afterTask(left: number): void {
    this.holdsTasks();
    if (left === 0 && this.gate.isClosed) this.#thread?.wake();
  }

  /** Reports, once, a use that a type checker would have refused. */
  misuse(message: string): void {
    if (this.#misuses.length >= MISUSES_MAX) return;
    if (this.#misuses.some((known) => known.message === message)) return;
    this.#misuses.push(problem('Misuse', message));
    this.#log.warn(message);
  }

  /** Counts work that was reported after the end as lost. */
  loseAfterStop(): void {
    this.counters.lose();
    this.misuse('work was reported after stop(), and is not counted');
  }

  recordFailure(reason: string): void {
    this.#lastFailure = reason;
  }

  /** Asks the sender to stop, and waits for that. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await this.#thread?.stop();
  }

  /** Asks the sender to stop, without a wait. */
  requestStop(request: StopRequest): void {
    this.isStopped = true;
    this.#thread?.requestStop(request);
  }

  /** Blocks until the sender has stopped. */
  blockUntilStopped(timeoutMs: number = STOP_TIMEOUT_MS): void {
    this.#thread?.blockUntilStopped(timeoutMs);
  }

  status(): Status {
    this.#thread?.drain();
    const now = performance.now();
    const { links, tokenProblem, memoryProblems } = this.#sender;
    const collectors = links.flatMap(({ collector, connection }, at): CollectorStatus[] => {
      if (connection === null || this.memory.isStopped) return [];
      const lastAnswer = this.memory.fields[Field.LastAnswer + at] as number;
      const lastAnswerAgeMs = lastAnswer === 0 ? null : Math.max(0, now - lastAnswer);
      const refusedDatagrams = this.memory.fields[Field.Refused + at] as number;
      return [{ collector, connection, lastAnswerAgeMs, refusedDatagrams }];
    });
    const ofLinks = links.flatMap(({ collector, unansweredSince, problems }) => {
      if (unansweredSince === null) return problems;
      return [unansweredProblem(collector, now - unansweredSince), ...problems];
    });
    const ofToken = tokenProblem === null ? [] : [tokenProblem];
    return new Status({
      agent: this.agent,
      killed: this.gate.isClosed,
      killCause: this.gate.cause,
      collectors,
      inFlight: this.tasks.count,
      lostObservations: this.counters.lost,
      loopDelayMs: this.#loopDelayMs,
      lastFailure: this.#lastFailure,
      problems: [...this.#problems, ...ofToken, ...ofLinks, ...memoryProblems, ...this.#misuses],
    });
  }

  #applyAtStart(isKilled: boolean, memoryProblems: readonly Problem[]): void {
    for (const { message } of memoryProblems) this.#log.warn(message);
    if (!isKilled) return;
    Atomics.store(this.memory.flags, Flag.Killed, KillBit.Command);
    queueMicrotask(() => this.#call(this.onKill, 'onKill'));
  }

  #onMessage(message: ToAgent): void {
    switch (message.kind) {
      case 'status':
        this.#sender = message.status;
        break;
      case 'killed':
        this.#call(this.onKill, 'onKill');
        break;
      case 'resumed':
        this.gate.wake();
        this.#call(this.#onResume, 'onResume');
        break;
      case 'warning':
        this.#log.warn(message.message);
        break;
      case 'ping':
        Atomics.store(this.memory.flags, Flag.Pong, message.number);
        this.#loopDelayMs = Math.max(0, performance.now() - message.sentAt);
        this.onLoopTurn();
        break;
      case 'failed':
        this.#fail(
          problem(
            'SenderFailed',
            `the emitter has failed: nothing is sent any more (${message.reason}); please report this`,
          ),
        );
        break;
      case 'stopped':
        this.isStopped = true;
        this.onStopped();
        break;
    }
  }

  #fail(failure: Problem): void {
    this.isStopped = true;
    this.onStopped();
    this.#problems.push(failure);
    this.#log.warn(failure.message);
  }

  /** Calls a function of the program, which may throw, or return a promise that is rejected. */
  #call(hook: unknown, name: string): void {
    if (typeof hook !== 'function') return;
    const failed = (error: unknown): void => {
      this.#log.warn(`the function given as ${name} has thrown: ${reasonOf(error)}`);
    };
    try {
      Promise.resolve(hook() as unknown).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #checkedOnKill(onKill: unknown): OnKill {
    if (onKill === undefined || onKill === 'wait' || onKill === 'raise') return onKill ?? 'wait';
    if (typeof onKill === 'function') return onKill as () => unknown;
    const message = 'the option onKill is left out: it has to be "wait", "raise" or a function';
    this.#problems.push(problem('BadSetting', message));
    return 'wait';
  }
}
