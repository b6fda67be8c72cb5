/** The sender: the only part that uses the network and, after the start, the disk. */

import { writeFile } from 'node:fs';

import { AppliedStates } from '../engine/appliedStates.js';
import { type Credentials, isProblem, readCredentials } from '../credentials.js';
import { KillMemory } from '../killMemory.js';
import type { Problem } from '../problem.js';
import { claimText } from '../replicaClaim.js';
import { Field, Flag, KillBit, SharedMemory, StopRequest } from '../shared/memory.js';
import type { SenderConfig, SenderStatus, ToAgent } from '../shared/messages.js';
import { unansweredProblem } from './answerWatchdog.js';
import { CollectorLink } from './collectorLink.js';
import { LoopProbe } from './loopProbe.js';
import { SharedMetrics } from './sharedMetrics.js';

/** Period at which a missing or invalid token is read again. */
const TOKEN_RETRY_MS = 1_000;
/** A timer later than this was held up: the process was stopped, or the machine is overloaded. */
const HELD_UP_MS = 500;

/** How long the number of a replica is held after a beat. */
const CLAIM_INTERVALS = 3;
const CLAIM_MIN_MS = 10_000;

const LIMIT_FIELDS = [
  ['tasks', Field.TasksLimit],
  ['tokens', Field.TokensLimit],
  ['cost', Field.CostLimit],
] as const;

/** What a sender needs of the thread that it runs on. */
export interface SenderHost {
  /** Returns the time of the agent's clock, in ms. */
  now(): number;
  tell(message: ToAgent): void;
  /** The agent's event loop was found blocked. */
  loopBlocked(): void;
  /** The sender has stopped, and all its sockets are closed. */
  stopped(): void;
}

export class Sender {
  readonly #memory: SharedMemory;
  readonly #killMemory: KillMemory | null;
  readonly #links: readonly CollectorLink[];
  readonly #loop: LoopProbe;
  /** null until there is a token. */
  #credentials: Credentials | null = null;
  #tokenProblem: Problem | null = null;
  #tokenRetryAt: number;
  #memoryProblems: readonly Problem[];
  /** The desired states applied, of all collectors. */
  #applied: AppliedStates;
  /** Killed, with tasks still in flight. */
  #isDraining = false;
  /** A budget is used up, and that was reported. */
  #isSpent = false;
  #timer: NodeJS.Timeout | null = null;
  #probing: NodeJS.Timeout | null = null;
  #timerDue = Infinity;
  #isTurnDue = false;
  #isStopped = false;
  #published = '';

  constructor(
    private readonly config: SenderConfig,
    private readonly host: SenderHost,
  ) {
    const memory = new SharedMemory(config.memory);
    this.#memory = memory;
    this.#killMemory =
      config.stateDir === null ? null : new KillMemory(config.stateDir, config.agent);
    this.#applied = AppliedStates.restored(config.applied);
    this.#isDraining = this.#applied.isKilled;
    this.#memoryProblems = config.memoryProblems;
    this.#loop = new LoopProbe(memory, {
      ping: (number, sentAt) => host.tell({ kind: 'ping', number, sentAt }),
      blocked: () => host.loopBlocked(),
    });
    const events = {
      now: () => host.now(),
      received: (link: CollectorLink, changed: boolean) => this.#onReceived(link, changed),
    };
    this.#links = config.collectors.map((collector) => {
      const metrics = new SharedMetrics(memory, this.#loop);
      return new CollectorLink(collector, config.intervalMs, metrics, events);
    });
    this.#tokenRetryAt = host.now() + TOKEN_RETRY_MS;
  }

  start(): void {
    this.#startSessions(readCredentials(this.config.token, this.config.agent));
    this.#probing = this.#loop.start(() => this.host.now());
    this.#turn();
  }

  /** Looks at the shared memory: a stop was requested, or the last task has ended. */
  wake(): void {
    this.#turn();
  }

  /** Collects the datagrams that are queued before it sends anything. */
  #onReceived(link: CollectorLink, changed: boolean): void {
    if (changed) this.#applyStatesOf(link);
    const controls = this.#links.flatMap(({ control }) => (control === null ? [] : [control]));
    for (const each of this.#links) each.setOtherControls(controls);
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    setImmediate(() => {
      this.#isTurnDue = false;
      this.#turn();
    });
  }

  /** Sends what is due, checks for problems, and sets the timer of the next turn. */
  #turn(): void {
    if (this.#isStopped) return;
    const now = this.host.now();
    if (this.#credentials === null && now >= this.#tokenRetryAt) this.#retryToken(now);
    this.#applyBudgets(now);
    const stop = Atomics.load(this.#memory.flags, Flag.StopRequest) as StopRequest;
    if (stop === StopRequest.Silent) {
      this.#stop();
      return;
    }
    if (stop === StopRequest.WithGoodbye) for (const link of this.#links) link.close(now);
    if (this.#isDraining && Atomics.load(this.#memory.flags, Flag.InFlight) === 0) {
      this.#isDraining = false;
      for (const link of this.#links) link.notifyChange(now);
    }
    let hasSent = false;
    for (const link of this.#links) hasSent = link.transmit(now) || hasSent;
    if (hasSent && stop === StopRequest.None) this.#renewClaim();
    this.#checkAnswers(now);
    const due = this.#nextDue(stop);
    if (due === null) this.#stop();
    else this.#setTimer(due, now);
  }

  #renewClaim(): void {
    const { replicaClaim: claim, intervalMs } = this.config;
    if (claim === null) return;
    const text = claimText(claim.holder, Math.max(CLAIM_MIN_MS, CLAIM_INTERVALS * intervalMs));
    // A full disk costs no more than the number, to a replica that is started meanwhile.
    writeFile(claim.path, text, () => {});
  }

  #nextDue(stop: StopRequest): number | null {
    let due: number | null = null;
    for (const { nextTimeout } of this.#links) {
      if (nextTimeout !== null) due = Math.min(due ?? Infinity, nextTimeout);
    }
    if (due === null && this.#credentials === null && stop === StopRequest.None) {
      return this.#tokenRetryAt;
    }
    return due;
  }

  #setTimer(due: number, now: number): void {
    if (this.#timer !== null && due === this.#timerDue) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timerDue = due;
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(0, Math.ceil(due - now)));
  }

  #onTimer(): void {
    this.#timer = null;
    const now = this.host.now();
    if (now - this.#timerDue > HELD_UP_MS) this.#loop.restart(now);
    this.#turn();
  }

  #stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#probing !== null) clearInterval(this.#probing);
    for (const link of this.#links) link.closeSocket();
    this.host.stopped();
  }

  #retryToken(now: number): void {
    this.#tokenRetryAt = now + TOKEN_RETRY_MS;
    const credentials = readCredentials(this.config.token, this.config.agent);
    if (!isProblem(credentials)) this.#readStatesOf(credentials.fleet);
    this.#startSessions(credentials);
  }

  /** Starts a session with each collector, once there are keys for it. */
  #startSessions(credentials: Credentials | Problem): void {
    if (!isProblem(credentials)) {
      this.#credentials = credentials;
      this.#tokenProblem = null;
      const { agent, intervalMs, stallAfterMs, identity } = this.config;
      const { keys } = credentials;
      const applied = this.#applied;
      const config = { agent, keys, intervalMs, stallAfterMs, identity, applied };
      for (const link of this.#links) link.startSession({ ...config, random: Math.random });
      return;
    }
    const isKnown = credentials.message === this.#tokenProblem?.message;
    this.#tokenProblem = credentials;
    // A collector that starts after its agents is nothing to log.
    if (!isKnown && credentials.kind !== 'NoToken') this.#warn(credentials.message);
  }

  /** Reads the states of the fleet, now that it is known: until then those of all fleets counted. */
  #readStatesOf(fleet: string): void {
    if (this.#killMemory === null) return;
    const { applied, problems } = this.#killMemory.read(fleet);
    this.#applied = applied;
    this.#memoryProblems = problems;
    this.#applyStates();
  }

  /**
   * Applies what one collector has changed: at once for the agent, and on disk before any beat
   * reports it, to this collector and to the others.
   */
  #applyStatesOf(changed: CollectorLink): void {
    const wasKilled = this.#applied.isKilled;
    this.#applied = changed.applied ?? this.#applied;
    const now = this.host.now();
    for (const link of this.#links) link.setApplied(this.#applied, now);
    // Who is let go on may start a process, which must not find the kill, and waits for no disk.
    if (wasKilled && !this.#applied.isKilled) this.#removeStoredStates();
    this.#applyStates();
    this.#storeStates();
  }

  #removeStoredStates(): void {
    if (this.#killMemory === null || this.#credentials === null) return;
    this.#killMemory.remove(this.#credentials.fleet);
  }

  #applyStates(): void {
    const { isKilled } = this.#applied;
    this.#isDraining = isKilled;
    this.#hold(KillBit.Command, isKilled);
  }

  /** Applies what is left of the budgets, and reports at once when nothing is. */
  #applyBudgets(now: number): void {
    const { fields } = this.#memory;
    for (const [unit, field] of LIMIT_FIELDS) {
      const ofUnit = this.#links.map(({ spendingLimit }) =>
        spendingLimit?.unit === unit ? spendingLimit.total : Infinity,
      );
      fields[field] = Math.min(...ofUnit);
    }
    const wasSpent = this.#isSpent;
    this.#isSpent = this.#memory.isSpent;
    this.#hold(KillBit.Budget, this.#isSpent);
    if (this.#isSpent && !wasSpent) for (const link of this.#links) link.notifyChange(now);
  }

  /** Keeps tasks from starting for a cause, or no longer for it. */
  #hold(cause: KillBit, holds: boolean): void {
    const { flags } = this.#memory;
    const before = holds
      ? Atomics.or(flags, Flag.Killed, cause)
      : Atomics.and(flags, Flag.Killed, ~cause);
    const after = holds ? before | cause : before & ~cause;
    if (before === after) return;
    // A thread may block until it is resumed.
    Atomics.notify(flags, Flag.Killed);
    if (before === 0) this.host.tell({ kind: 'killed' });
    if (after === 0) this.host.tell({ kind: 'resumed' });
  }

  #storeStates(): void {
    if (this.#killMemory === null || this.#credentials === null) return;
    const problem = this.#killMemory.write(this.#credentials.fleet, this.#applied);
    if (problem !== null) this.#warn(problem.message);
    this.#memoryProblems = problem === null ? [] : [problem];
  }

  /** Updates the status; where answers are missing, logs it once and reads the token again. */
  #checkAnswers(now: number): void {
    const alarms = this.#links.map((link) => link.checkAnswers(now));
    this.#publish();
    if (alarms.includes('first')) this.#warn(this.#problemTexts(now).join('; '));
    if (alarms.some((alarm) => alarm !== 'none')) this.#renewKeys();
  }

  #problemTexts(now: number): string[] {
    const ofLinks = this.#links.flatMap(({ status: { collector, unansweredSince, problems } }) => {
      const silent = unansweredSince === null ? [] : [now - unansweredSince];
      return [...silent.map((silentMs) => unansweredProblem(collector, silentMs)), ...problems];
    });
    const ofToken = this.#tokenProblem === null ? [] : [this.#tokenProblem];
    return [...ofToken, ...ofLinks, ...this.#memoryProblems].map(({ message }) => message);
  }

  /** Reads the token again: the collector may have been set up anew, with other keys. */
  #renewKeys(): void {
    const before = this.#credentials;
    if (before === null || this.config.token.kind !== 'file') return;
    const credentials = readCredentials(this.config.token, this.config.agent);
    if (isProblem(credentials)) return;
    for (const link of this.#links) link.rekey(credentials.keys);
    this.#credentials = credentials;
    if (before.fleet !== credentials.fleet) this.#storeStates();
  }

  #publish(): void {
    for (const [at, link] of this.#links.entries()) {
      this.#memory.fields[Field.LastAnswer + at] = link.lastAnswer ?? 0;
      this.#memory.fields[Field.Refused + at] = link.refused;
    }
    const status: SenderStatus = {
      links: this.#links.map((link) => link.status),
      tokenProblem: this.#tokenProblem,
      memoryProblems: this.#memoryProblems,
    };
    const text = JSON.stringify(status);
    if (text === this.#published) return;
    this.#published = text;
    this.host.tell({ kind: 'status', status });
  }

  #warn(message: string): void {
    this.host.tell({ kind: 'warning', message });
  }
}
