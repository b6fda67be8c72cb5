/**
 * OpenTelemetry: a span processor that finds the tasks in the spans of instrumented frameworks.
 *
 * 1. A span is *ours* if its scope is a known GenAI scope, or if it has an attribute of one at its
 *    start.
 * 2. A run begins with a span of ours that has no live local ancestor of ours.
 * 3. Its kind is decided at its end: an agent is a task; a call of a model, or anything else, is none.
 * 4. Tokens are read from calls only, and once for each response.
 * 5. It has failed if its span has; of `openai_agents` also if an agent's span below has.
 *
 * A kill can't hold a run here: a processor is told, and is not asked.
 */

import { Adapter, type AdapterOptions, isCovered, tokenCount } from './adapter.js';

/** A span, as far as this looks at it; that of the SDK, versions 1 and 2. */
export interface ReadableSpan {
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly status: { readonly code: number; readonly message?: string };
  readonly instrumentationScope?: { readonly name: string };
  readonly instrumentationLibrary?: { readonly name: string };
  readonly parentSpanContext?: { readonly spanId: string; readonly isRemote?: boolean };
  readonly parentSpanId?: string;
  spanContext(): { readonly spanId: string; readonly traceId: string };
}

const SCOPES =
  /^(pydantic-ai|openinference\.|@?opentelemetry[./]instrumentation[.-](langchain|openai|genai)|opentelemetry\.util\.genai|@arizeai\/openinference-|@traceloop\/instrumentation-|(autogen-core|ai|gen_ai)$)/;
const MARKS = ['gen_ai.operation.name', 'openinference.span.kind', 'ai.operationId'];
const CALLS = new Set([
  'chat',
  'text_completion',
  'generate_content',
  'embeddings',
  'LLM',
  'EMBEDDING',
  'llm',
]);
const AGENTS = new Set(['invoke_agent', 'invoke_workflow', 'AGENT', 'CHAIN', 'workflow', 'agent']);
const AI_AGENT = /^ai\.(generateText|streamText|generateObject|streamObject)$/;
const AI_CALL = /^ai\..*\.do(Generate|Stream|Embed)$/;
const STATUS_ERROR = 2;
/** Most spans that are kept in mind. */
const LIVE_MAX = 50_000;
const LIVE_AGE_MAX_MS = 3_600_000;

interface LiveSpan {
  readonly isOurs: boolean;
  /** Id of the run that it belongs to, or begins. */
  readonly run: string | null;
  readonly parent: LiveSpan | null;
  readonly startedAt: number;
  /** Calls below it, and their tokens, by the id of their response. */
  calls: Map<string, Call>;
  /** An agent's span below it has failed. */
  hasFailedAgent: boolean;
}

interface Call {
  readonly model: string | undefined;
  readonly tokensIn: number | undefined;
  readonly tokensOut: number | undefined;
  readonly costUsd: number | undefined;
}

type Kind = 'agent' | 'call' | 'tool' | 'other';

/** To be given to a tracer provider, beside its other processors. */
export class HeartlineSpanProcessor {
  readonly #adapter: Adapter;
  readonly #live = new Map<string, LiveSpan>();

  constructor(options: AdapterOptions = {}) {
    this.#adapter = new Adapter('opentelemetry', options, () => false);
  }

  onStart(span: ReadableSpan): void {
    this.#adapter.guard(() => this.#onStart(span));
  }

  onEnd(span: ReadableSpan): void {
    this.#adapter.guard(() => this.#onEnd(span));
  }

  forceFlush(): Promise<void> {
    return Promise.resolve();
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }

  #onStart(span: ReadableSpan): void {
    this.#forgetOld();
    const parent = this.#live.get(parentId(span) ?? '') ?? null;
    const isOurs = isGenAi(span) && !isOfCovered(span);
    const { spanId, traceId } = span.spanContext();
    const id = `${traceId}/${spanId}`;
    let run = parent?.run ?? null;
    if (isOurs && run === null && this.#adapter.begin(id, span.name) !== undefined) run = id;
    else if (isOurs && run !== null) this.#adapter.step(run, span.name);
    const calls = new Map<string, Call>();
    this.#live.set(spanId, {
      isOurs,
      run,
      parent,
      startedAt: performance.now(),
      calls,
      hasFailedAgent: false,
    });
  }

  #onEnd(span: ReadableSpan): void {
    const { spanId, traceId } = span.spanContext();
    const live = this.#live.get(spanId);
    if (live === undefined) return;
    this.#live.delete(spanId);
    const kind = live.isOurs ? kindOf(span) : 'other';
    const call = kind === 'call' ? callOf(span) : null;
    // A call with tokens replaces what its children have reported: they are of the same call.
    if (call !== null) live.calls = new Map([[responseId(span) ?? spanId, call]]);
    const hasFailed = span.status.code === STATUS_ERROR;
    if (live.run === `${traceId}/${spanId}`) {
      this.#finish(span, live, kind, hasFailed);
    } else if (live.parent !== null) {
      for (const [id, each] of live.calls) live.parent.calls.set(id, each);
      const isFailedAgent = (hasFailed && kind === 'agent') || live.hasFailedAgent;
      if (isFailedAgent && kind !== 'tool' && isOpenAiAgents(span))
        live.parent.hasFailedAgent = true;
    }
  }

  #finish(span: ReadableSpan, live: LiveSpan, kind: Kind, hasFailed: boolean): void {
    // The calls inside of another adapter's run are known to that one.
    if (!this.#adapter.isInsideOther()) {
      for (const call of live.calls.values()) this.#adapter.count(call, call.costUsd);
    }
    const run = live.run as string;
    if (kind !== 'agent') this.#adapter.end(run, 'discarded');
    else if (hasFailed || live.hasFailedAgent) {
      this.#adapter.end(run, 'failed', span.status.message ?? span.name);
    } else this.#adapter.end(run, 'ok');
  }

  #forgetOld(): void {
    const oldest = performance.now() - LIVE_AGE_MAX_MS;
    for (const [id, { startedAt, run }] of this.#live) {
      if (startedAt >= oldest && this.#live.size < LIVE_MAX) return;
      this.#live.delete(id);
      if (run?.endsWith(`/${id}`) === true) this.#adapter.end(run, 'discarded');
    }
  }
}

function parentId(span: ReadableSpan): string | undefined {
  if (span.parentSpanContext?.isRemote === true) return undefined;
  return span.parentSpanContext?.spanId ?? span.parentSpanId;
}

function scopeOf(span: ReadableSpan): string {
  return span.instrumentationScope?.name ?? span.instrumentationLibrary?.name ?? '';
}

function isGenAi(span: ReadableSpan): boolean {
  return SCOPES.test(scopeOf(span)) || MARKS.some((mark) => mark in span.attributes);
}

/** Whether another adapter sees the runs of this span's framework, and more of them. */
function isOfCovered(span: ReadableSpan): boolean {
  const scope = scopeOf(span);
  if (scope === 'ai' || scope === 'gen_ai') return isCovered('ai');
  if (/langchain|langgraph/.test(scope)) return isCovered('langchain');
  return isOpenAiAgents(span) && isCovered('openai-agents');
}

function isOpenAiAgents(span: ReadableSpan): boolean {
  return /openai[_-]agents/.test(scopeOf(span));
}

function kindOf({ attributes }: ReadableSpan): Kind {
  const operation = attributes['ai.operationId'];
  if (typeof operation === 'string') {
    if (AI_CALL.test(operation)) return 'call';
    if (AI_AGENT.test(operation)) return 'agent';
    return operation === 'ai.toolCall' ? 'tool' : 'other';
  }
  for (const key of ['gen_ai.operation.name', 'openinference.span.kind', 'traceloop.span.kind']) {
    const kind = attributes[key];
    if (typeof kind !== 'string') continue;
    if (CALLS.has(kind)) return 'call';
    if (AGENTS.has(kind)) return 'agent';
    return kind === 'execute_tool' || kind === 'TOOL' || kind === 'tool' ? 'tool' : 'other';
  }
  // Of older instrumentations a call shows only by its request.
  return 'llm.request.type' in attributes ? 'call' : 'other';
}

function callOf({ attributes }: ReadableSpan): Call | null {
  const first = (...keys: string[]) => {
    return keys.map((key) => tokenCount(attributes[key])).find((count) => count !== undefined);
  };
  const tokensIn = first(
    'gen_ai.usage.input_tokens',
    'gen_ai.usage.prompt_tokens',
    'llm.token_count.prompt',
    'ai.usage.inputTokens',
    'ai.usage.promptTokens',
  );
  const tokensOut = first(
    'gen_ai.usage.output_tokens',
    'gen_ai.usage.completion_tokens',
    'llm.token_count.completion',
    'ai.usage.outputTokens',
    'ai.usage.completionTokens',
  );
  const cost = attributes['operation.cost'];
  const costUsd = typeof cost === 'number' ? cost : undefined;
  if (tokensIn === undefined && tokensOut === undefined && costUsd === undefined) return null;
  const model =
    attributes['gen_ai.response.model'] ??
    attributes['gen_ai.request.model'] ??
    attributes['llm.model_name'];
  return { model: typeof model === 'string' ? model : undefined, tokensIn, tokensOut, costUsd };
}

function responseId({ attributes }: ReadableSpan): string | undefined {
  const id = attributes['gen_ai.response.id'] ?? attributes['ai.response.id'];
  return typeof id === 'string' ? id : undefined;
}
