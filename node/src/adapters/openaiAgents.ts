/**
 * The OpenAI Agents SDK (`@openai/agents`): each outermost run is a task.
 *
 * Runs are seen through its traces: with tracing disabled, as under `NODE_ENV=test`, there is
 * nothing to see. A kill can't hold a run here, as nothing asks a processor; await `hb.resumed()`
 * before a run. A run that stops for an approval looks like one that has ended: put
 * `hb.waiting('approval', …)` around the wait.
 */

import { Adapter, type AdapterOptions, type ModelCall, tokenCount } from './adapter.js';

/** A span, as far as this looks at it. */
export interface AgentsSpan {
  readonly spanId: string;
  readonly traceId: string;
  readonly parentId: string | null;
  readonly spanData: Readonly<Record<string, unknown>> & { readonly type: string };
  readonly error: { readonly message: string } | null;
}

/** A run, outermost or nested, and what was used in it. */
interface LiveTask {
  readonly enclosing: LiveTask | null;
  turns: number;
  /** Of the runs within it. */
  readonly nested: Usage;
}

interface Usage {
  tokensIn: number;
  tokensOut: number;
  requests: number;
}

interface LiveSpan {
  readonly root: string;
  /** The run that it is part of; null where the framework shows none. */
  readonly task: LiveTask | null;
  readonly isInTool: boolean;
}

/** Most spans that are kept in mind. */
const LIVE_MAX = 50_000;

/** To be given to `addTraceProcessor`. */
export class HeartlineTraceProcessor {
  readonly #adapter: Adapter;
  readonly #live = new Map<string, LiveSpan>();
  /** Errors of agents below the roots: a failed run shows there only. */
  readonly #failures = new Map<string, string>();

  constructor(
    options: AdapterOptions = {},
    currentSpan: () => { spanId: string } | null = () => null,
  ) {
    this.#adapter = new Adapter('openai-agents', options, () =>
      this.#live.has(currentSpan()?.spanId ?? ''),
    );
  }

  async onTraceStart(): Promise<void> {}
  async onTraceEnd(): Promise<void> {}
  async shutdown(): Promise<void> {}
  async forceFlush(): Promise<void> {}

  async onSpanStart(span: AgentsSpan): Promise<void> {
    this.#adapter.guard(() => this.#onStart(span));
  }

  async onSpanEnd(span: AgentsSpan): Promise<void> {
    this.#adapter.guard(() => this.#onEnd(span));
  }

  #onStart({ spanId, parentId, spanData }: AgentsSpan): void {
    const parent = parentId === null ? undefined : this.#live.get(parentId);
    const name = typeof spanData['name'] === 'string' ? spanData['name'] : spanData.type;
    const enclosing = parent?.task ?? null;
    const isTask = spanData.type === 'task';
    const nested = { tokensIn: 0, tokensOut: 0, requests: 0 };
    const task = isTask ? { enclosing, turns: 0, nested } : enclosing;
    if (parent !== undefined) {
      const isInTool = parent.isInTool || spanData.type === 'function';
      this.#live.set(spanId, { root: parent.root, task, isInTool });
      this.#adapter.step(parent.root, name);
    } else if (isTask || spanData.type === 'agent') {
      if (this.#live.size >= LIVE_MAX) this.#live.delete(this.#live.keys().next().value as string);
      this.#live.set(spanId, { root: spanId, task, isInTool: false });
      this.#adapter.begin(spanId, name);
    }
  }

  #onEnd({ spanId, spanData, error }: AgentsSpan): void {
    const live = this.#live.get(spanId);
    if (live === undefined) return;
    this.#live.delete(spanId);
    const isCall = spanData.type === 'response' || spanData.type === 'generation';
    if (live.task === null && isCall) this.#adapter.count(callOf(spanData));
    if (live.task !== null && spanData.type === 'turn') live.task.turns += 1;
    if (live.task !== null && spanData.type === 'task') this.#countTask(live.task, spanData);
    if (error !== null && spanData.type === 'agent' && !live.isInTool) {
      this.#failures.set(live.root, error.message);
    }
    if (live.root !== spanId) return;
    const failure = error?.message ?? this.#failures.get(spanId);
    this.#failures.delete(spanId);
    this.#adapter.end(spanId, failure === undefined ? 'ok' : 'failed', failure);
  }

  /**
   * Counts what a whole run has used. Of runs within it, an agent as a tool is part of its usage, and
   * a run of the tool's own is not: where the requests are too few for both, it is added.
   */
  #countTask(task: LiveTask, data: SpanData): void {
    const { tokensIn = 0, tokensOut = 0 } = callOf(data);
    const requests =
      tokenCount((data['usage'] as Record<string, unknown> | undefined)?.['requests']) ?? 0;
    const used: Usage = { tokensIn, tokensOut, requests };
    if (requests < task.turns + task.nested.requests) add(used, task.nested);
    if (task.enclosing === null)
      this.#adapter.count({ tokensIn: used.tokensIn, tokensOut: used.tokensOut });
    else add(task.enclosing.nested, used);
  }
}

type SpanData = AgentsSpan['spanData'];

function add(sum: Usage, more: Usage): void {
  sum.tokensIn += more.tokensIn;
  sum.tokensOut += more.tokensOut;
  sum.requests += more.requests;
}

function callOf(data: SpanData): ModelCall {
  const response = data['_response'] as Record<string, unknown> | undefined;
  const usage = (response?.['usage'] ?? data['usage']) as Record<string, unknown> | undefined;
  const model = response?.['model'] ?? data['model'];
  return {
    model: typeof model === 'string' ? model : undefined,
    tokensIn: tokenCount(usage?.['input_tokens'] ?? usage?.['inputTokens']),
    tokensOut: tokenCount(usage?.['output_tokens'] ?? usage?.['outputTokens']),
  };
}
