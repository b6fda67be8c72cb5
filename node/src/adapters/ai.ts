/**
 * The AI SDK (`ai`), versions 6 and 7: each `generateText`, `streamText` and the like is a task.
 *
 * A kill holds a run at its start, which the SDK awaits. Version 6 tells neither errors nor aborts,
 * and no id by which an end belongs to a start: what has ended well is counted, without its latency.
 * For failures, put `hb.task` around it, or use its spans (`heartline/otel`).
 */

import { AsyncLocalStorage } from 'node:async_hooks';

import { Adapter, type AdapterOptions, tokenCount } from './adapter.js';

/** The parts of an event that this looks at. */
interface AiEvent {
  readonly callId?: string;
  readonly operationId?: string;
  readonly stepNumber?: number;
  readonly toolName?: string;
  readonly toolCall?: { readonly toolName?: string };
  readonly usage?: AiUsage;
  readonly totalUsage?: AiUsage;
  readonly content?: readonly {
    readonly type?: string;
    readonly approvalId?: string;
    readonly toolCall?: { readonly toolName?: string };
  }[];
  readonly messages?: unknown;
  readonly prompt?: unknown;
  readonly model?: { readonly modelId?: string } | string;
  readonly modelId?: string;
  readonly response?: { readonly modelId?: string };
  readonly error?: unknown;
}

interface AiUsage {
  readonly inputTokens?: unknown;
  readonly outputTokens?: unknown;
}

type Hook = (event: unknown) => Promise<void>;

/** To be given to `registerTelemetry` of version 7. */
export interface AiTelemetry {
  readonly onStart: Hook;
  readonly onStepStart: Hook;
  readonly onToolExecutionStart: Hook;
  readonly onEnd: Hook;
  readonly onError: Hook;
  readonly onAbort: Hook;
  readonly executeTool: <T>(options: {
    readonly callId: string;
    readonly execute: () => PromiseLike<T>;
  }) => PromiseLike<T>;
}

/** To be given to `registerTelemetryIntegration` of version 6. */
export interface AiTelemetryIntegration {
  readonly onStart: Hook;
  readonly onStepStart: Hook;
  readonly onToolCallStart: Hook;
  readonly onFinish: Hook;
}

/** Returns an integration for version 7: `registerTelemetry(heartlineTelemetry())`. */
export function heartlineTelemetry(options: AdapterOptions = {}): AiTelemetry {
  const inTool = new AsyncLocalStorage<string>();
  const isNested = (): boolean => adapter.has(inTool.getStore() ?? '');
  const adapter: Adapter = new Adapter('ai', options, isNested);
  const hook = guarded(adapter);
  return {
    onStart: async (event) => {
      const { callId, operationId } = event as AiEvent;
      if (callId === undefined || isNested()) return;
      await adapter.hold();
      adapter.guard(() => {
        if (isTask(operationId)) adapter.begin(callId, operationId);
        endWaits(adapter, event as AiEvent);
      });
    },
    onStepStart: hook(({ callId, stepNumber }) => {
      adapter.step(callId ?? '', `step ${(stepNumber ?? 0) + 1}`);
    }),
    onToolExecutionStart: hook(({ callId, toolCall }) => {
      adapter.step(callId ?? '', toolCall?.toolName ?? 'tool');
    }),
    onEnd: hook((event) => {
      countUsage(adapter, event);
      beginWaits(adapter, event);
      adapter.end(event.callId ?? '', 'ok');
    }),
    onError: hook(({ callId, error }) => adapter.end(callId ?? '', 'failed', error)),
    onAbort: hook(({ callId }) => adapter.end(callId ?? '', 'failed', 'aborted')),
    executeTool: ({ callId, execute }) => inTool.run(callId, execute),
  };
}

/** Returns an integration for version 6: `registerTelemetryIntegration(heartlineIntegration())`. */
export function heartlineIntegration(options: AdapterOptions = {}): AiTelemetryIntegration {
  const adapter = new Adapter('ai', options, () => false);
  const hook = guarded(adapter);
  const step = (name: string): void => adapter.handle?.step(name);
  return {
    onStart: async (event) => {
      await adapter.hold();
      adapter.guard(() => endWaits(adapter, event as AiEvent));
    },
    onStepStart: hook(({ stepNumber }) => step(`step ${(stepNumber ?? 0) + 1}`)),
    onToolCallStart: hook(({ toolCall }) => step(toolCall?.toolName ?? 'tool')),
    onFinish: hook((event) => {
      countUsage(adapter, event);
      beginWaits(adapter, event);
      if (!adapter.isPart()) adapter.handle?.report({ success: true });
    }),
  };
}

function guarded(adapter: Adapter) {
  return (hook: (event: AiEvent) => void): Hook => {
    return async (event) => void adapter.guard(() => hook((event ?? {}) as AiEvent));
  };
}

/** Embeddings and the like are steps of an agent, and no tasks. */
function isTask(operationId: string | undefined): boolean {
  return operationId === undefined || /^ai\.(generate|stream)(Text|Object)$/.test(operationId);
}

function countUsage(adapter: Adapter, event: AiEvent): void {
  const usage = event.totalUsage ?? event.usage;
  const model = event.response?.modelId ?? event.modelId ?? modelIdOf(event.model);
  const tokensIn = tokenCount(usage?.inputTokens);
  const tokensOut = tokenCount(usage?.outputTokens);
  adapter.count({ model, tokensIn, tokensOut });
}

function modelIdOf(model: AiEvent['model']): string | undefined {
  return typeof model === 'string' ? model : model?.modelId;
}

/** A run that ends with requests for approval waits for a person. */
function beginWaits(adapter: Adapter, event: AiEvent): void {
  for (const part of event.content ?? []) {
    if (part.type !== 'tool-approval-request' || part.approvalId === undefined) continue;
    adapter.wait(part.approvalId, `approval of ${part.toolCall?.toolName ?? 'a tool'}`);
  }
}

/** The next run has the answers among its messages. */
function endWaits(adapter: Adapter, { messages, prompt }: AiEvent): void {
  for (const given of [messages, prompt]) {
    if (!Array.isArray(given)) continue;
    for (const { content } of given as { content?: unknown }[]) {
      if (!Array.isArray(content)) continue;
      for (const part of content as { type?: string; approvalId?: string }[]) {
        if (part.type === 'tool-approval-response') adapter.endWait(part.approvalId ?? '');
      }
    }
  }
}
