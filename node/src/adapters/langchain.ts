/**
 * LangChain.js and LangGraph: each outermost run is a task.
 *
 * A run that is interrupted has ended well, and the agent waits for a person until a run of the same
 * thread begins. A kill holds a run at its start. A static `interruptBefore` shows nowhere in
 * LangGraph.js: such a run looks like one that has ended.
 *
 * ```js
 * await graph.invoke(input, { callbacks: [heartlineHandler()] });
 * ```
 */

import { AgentKilled } from '../killGate.js';
import { Adapter, type AdapterOptions, tokenCount } from './adapter.js';

type Metadata = Readonly<Record<string, unknown>>;

interface LlmOutput {
  readonly generations?: readonly (readonly {
    readonly message?: {
      readonly usage_metadata?: {
        readonly input_tokens?: unknown;
        readonly output_tokens?: unknown;
      };
      readonly response_metadata?: Metadata;
    };
  }[])[];
}

/** A callback handler, to be given to a call, or to all by {@link registerLangChain}. */
export class HeartlineCallbackHandler {
  readonly name = 'heartline';
  readonly lc_namespace = ['heartline'];
  readonly lc_serializable = false;
  readonly ignoreLLM = false;
  readonly ignoreChain = false;
  readonly ignoreAgent = true;
  readonly ignoreRetriever = true;
  readonly ignoreCustomEvent = true;
  /** So that a run waits for its resume, and so that {@link AgentKilled} reaches it. */
  readonly awaitHandlers = true;
  readonly raiseError = true;
  readonly #adapter: Adapter;
  /** The run at the root of each run that is under way. */
  readonly #roots = new Map<string, string>();
  /** Thread of each root, and whether it was interrupted. */
  readonly #threads = new Map<
    string,
    { readonly thread: string | undefined; isInterrupted: boolean }
  >();

  constructor(options: AdapterOptions = {}, insideRun: () => string | undefined = () => undefined) {
    this.#adapter = new Adapter('langchain', options, () => this.#roots.has(insideRun() ?? ''));
  }

  /** What LangChain tells a handler by. It has its state in common with all runs, and no copies. */
  copy(): this {
    return this;
  }

  async handleChainStart(
    _chain: unknown,
    _inputs: unknown,
    runId: string,
    parentRunId?: string,
    _tags?: string[],
    metadata: Metadata = {},
    _runType?: string,
    runName?: string,
  ): Promise<void> {
    await this.#begin(runId, parentRunId, metadata, runName ?? 'run');
  }

  async handleChatModelStart(
    _llm: unknown,
    _messages: unknown,
    runId: string,
    parentRunId?: string,
    _extra?: unknown,
    _tags?: string[],
    metadata: Metadata = {},
    runName?: string,
  ): Promise<void> {
    await this.#begin(runId, parentRunId, metadata, runName ?? 'model');
  }

  async handleLLMStart(
    _llm: unknown,
    _prompts: unknown,
    runId: string,
    parentRunId?: string,
    _extra?: unknown,
    _tags?: string[],
    metadata: Metadata = {},
    runName?: string,
  ): Promise<void> {
    await this.#begin(runId, parentRunId, metadata, runName ?? 'model');
  }

  async handleToolStart(
    _tool: unknown,
    _input: string,
    runId: string,
    parentRunId?: string,
    _tags?: string[],
    metadata: Metadata = {},
    runName?: string,
  ): Promise<void> {
    await this.#begin(runId, parentRunId, metadata, runName ?? 'tool');
  }

  async handleChainEnd(_outputs: unknown, runId: string): Promise<void> {
    this.#end(runId, 'ok');
  }

  async handleToolEnd(_output: unknown, runId: string): Promise<void> {
    this.#end(runId, 'ok');
  }

  async handleLLMEnd(output: unknown, runId: string): Promise<void> {
    this.#adapter.guard(() => this.#count(output as LlmOutput));
    this.#end(runId, 'ok');
  }

  async handleChainError(error: unknown, runId: string): Promise<void> {
    this.#fail(error, runId);
  }

  async handleToolError(error: unknown, runId: string): Promise<void> {
    this.#fail(error, runId);
  }

  async handleLLMError(error: unknown, runId: string): Promise<void> {
    this.#fail(error, runId);
  }

  async #begin(
    runId: string,
    parentRunId: string | undefined,
    metadata: Metadata,
    name: string,
  ): Promise<void> {
    const root = parentRunId === undefined ? undefined : this.#roots.get(parentRunId);
    if (root === undefined && this.#adapter.handle?.killed === true) {
      if (this.#adapter.handle.raisesWhenKilled && !this.#adapter.isPart()) throw new AgentKilled();
      await this.#adapter.hold();
    }
    this.#adapter.guard(() => {
      this.#roots.set(runId, root ?? runId);
      if (root !== undefined) {
        const node = metadata['langgraph_node'];
        this.#adapter.step(root, typeof node === 'string' ? node : name);
        return;
      }
      const thread = metadata['thread_id'];
      const key = typeof thread === 'string' ? thread : undefined;
      if (key !== undefined) this.#adapter.endWait(key);
      this.#threads.set(runId, { thread: key, isInterrupted: false });
      this.#adapter.begin(runId, name);
    });
  }

  #end(runId: string, outcome: 'ok' | 'failed', reason?: unknown): void {
    this.#adapter.guard(() => {
      const root = this.#roots.get(runId);
      this.#roots.delete(runId);
      if (root !== runId) return;
      const state = this.#threads.get(runId);
      this.#threads.delete(runId);
      this.#adapter.end(runId, outcome, reason);
      if (state?.isInterrupted === true && state.thread !== undefined) {
        this.#adapter.wait(state.thread, 'an interrupt');
      }
    });
  }

  #fail(error: unknown, runId: string): void {
    const root = this.#roots.get(runId);
    // An interrupt travels as an error through the nodes, and is none.
    if ((error as { is_bubble_up?: unknown } | null)?.is_bubble_up === true) {
      const state = root === undefined ? undefined : this.#threads.get(root);
      if (state !== undefined) state.isInterrupted = true;
      this.#end(runId, 'ok');
      return;
    }
    // A stream that was left early is no failure.
    const isLeft = root === runId && isAbort(error);
    this.#end(runId, isLeft ? 'ok' : 'failed', error);
  }

  #count({ generations }: LlmOutput): void {
    for (const [generation] of generations ?? []) {
      const message = generation?.message;
      const usage = message?.usage_metadata;
      const model = message?.response_metadata?.['model_name'];
      this.#adapter.count({
        model: typeof model === 'string' ? model : undefined,
        tokensIn: tokenCount(usage?.input_tokens),
        tokensOut: tokenCount(usage?.output_tokens),
      });
    }
  }
}

/** Returns a handler to be given to a call: `{ callbacks: [heartlineHandler()] }`. */
export function heartlineHandler(options: AdapterOptions = {}): HeartlineCallbackHandler {
  return new HeartlineCallbackHandler(options);
}

/** What of `@langchain/core/context` is needed to register a handler for all runs. */
export interface LangChainContext {
  registerConfigureHook(hook: { contextVar: string; inheritable: boolean }): void;
  setContextVariable(name: string, value: unknown): void;
}

/** What of `@langchain/core/singletons` tells which run this code is in. */
export interface LangChainSingletons {
  readonly AsyncLocalStorageProviderSingleton: {
    getRunnableConfig(): { readonly callbacks?: unknown } | undefined;
  };
}

const VARIABLE = 'heartline_handler';

/**
 * Lets all runs of this async context report: `registerLangChain(await import('@langchain/core/context'))`.
 * Servers that were created before do not see it: call it first. With `singletons`
 * (`@langchain/core/singletons`) a run of another framework within one of these is part of it.
 */
export function registerLangChain(
  context: LangChainContext,
  options: AdapterOptions & { readonly singletons?: LangChainSingletons | undefined } = {},
): void {
  const handler = new HeartlineCallbackHandler(options, () => {
    const config = options.singletons?.AsyncLocalStorageProviderSingleton.getRunnableConfig();
    const callbacks = config?.callbacks as { getParentRunId?(): string | undefined } | undefined;
    return callbacks?.getParentRunId?.();
  });
  context.registerConfigureHook({ contextVar: VARIABLE, inheritable: true });
  context.setContextVariable(VARIABLE, handler);
}

function isAbort(error: unknown): boolean {
  const { name, message } = (error ?? {}) as { name?: unknown; message?: unknown };
  return name === 'AbortError' || message === 'Abort' || message === 'Aborted';
}
