/**
 * The OpenAI Agents SDK (`@openai/agents`): each outermost run is a task.
 *
 * Runs are seen through its traces: with tracing disabled, as under `NODE_ENV=test`, there is
 * nothing to see. A kill can't hold a run here, as nothing asks a processor; await `hb.resumed()`
 * before a run. A run that stops for an approval looks like one that has ended: put
 * `hb.waiting('approval', …)` around the wait.
 */

import { Adapter, type AdapterOptions, tokenCount } from './adapter.js';

/** A span, as far as this looks at it. */
export interface AgentsSpan {
  readonly spanId: string;
  readonly traceId: string;
  readonly parentId: string | null;
  readonly spanData: Readonly<Record<string, unknown>> & { readonly type: string };
  readonly error: { readonly message: string } | null;
}

interface LiveSpan {
  readonly root: string;
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

  constructor(options: AdapterOptions = {}, currentSpan: () => { spanId: string } | null = () => null) {
    this.#adapter = new Adapter('openai-agents', options, () => this.#live.has(currentSpan()?.spanId ?? ''));
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
    if (parent !== undefined) {
      const isInTool = parent.isInTool || spanData.type === 'function';
      this.#live.set(spanId, { root: parent.root, isInTool });
      this.#adapter.step(parent.root, name);
    } else if (spanData.type === 'task' || spanData.type === 'agent') {
      if (this.#live.size >= LIVE_MAX) this.#live.delete(this.#live.keys().next().value as string);
      this.#live.set(spanId, { root: spanId, isInTool: false });
      this.#adapter.begin(spanId, name);
    }
  }

  #onEnd({ spanId, spanData, error }: AgentsSpan): void {
    const live = this.#live.get(spanId);
    if (live === undefined) return;
    this.#live.delete(spanId);
    if (spanData.type === 'response' || spanData.type === 'generation') this.#count(spanData);
    if (error !== null && spanData.type === 'agent' && !live.isInTool) {
      this.#failures.set(live.root, error.message);
    }
    if (live.root !== spanId) return;
    const failure = error?.message ?? this.#failures.get(spanId);
    this.#failures.delete(spanId);
    this.#adapter.end(spanId, failure === undefined ? 'ok' : 'failed', failure);
  }

  #count(data: AgentsSpan['spanData']): void {
    const response = data['_response'] as Record<string, unknown> | undefined;
    const usage = (response?.['usage'] ?? data['usage']) as Record<string, unknown> | undefined;
    const model = response?.['model'] ?? data['model'];
    this.#adapter.count({
      model: typeof model === 'string' ? model : undefined,
      tokensIn: tokenCount(usage?.['input_tokens'] ?? usage?.['inputTokens']),
      tokensOut: tokenCount(usage?.['output_tokens'] ?? usage?.['outputTokens']),
    });
  }
}
