/** Registration of the adapters whose frameworks are installed. */

import type { AdapterOptions } from './adapters/adapter.js';
import { heartlineIntegration, heartlineTelemetry } from './adapters/ai.js';
import {
  type LangChainContext,
  type LangChainSingletons,
  registerLangChain,
} from './adapters/langchain.js';
import { HeartlineTraceProcessor } from './adapters/openaiAgents.js';
import { HeartlineSpanProcessor } from './adapters/otel.js';
import { processState } from './current.js';

type Module = Readonly<Record<string, unknown>>;
type Register = (module: Module, options: AdapterOptions) => boolean | Promise<boolean>;

const FRAMEWORKS: readonly (readonly [string, string, Register])[] = [
  ['ai', 'ai', registerAi],
  ['langchain', '@langchain/core/context', registerLangChainIn],
  ['openai-agents', '@openai/agents', registerOpenAiAgents],
  // The last one: it leaves to the others what they see.
  ['opentelemetry', '@opentelemetry/api', registerOtel],
];

/**
 * Registers an adapter for each framework that is installed, once a process. Returns their names.
 * A tracer provider of OpenTelemetry takes no processor after its start since version 2 of its SDK:
 * give it a `HeartlineSpanProcessor` (`heartline/otel`) yourself.
 */
export async function auto(options: AdapterOptions = {}): Promise<string[]> {
  const registered: string[] = [];
  for (const [framework, name, register] of FRAMEWORKS) {
    if (processState().adapters.has(framework)) continue;
    try {
      const module = await load(name);
      if (await register(module, options)) registered.push(framework);
    } catch {
      // It is not installed, or can't be loaded: there is nothing to watch.
    }
  }
  return registered;
}

function registerAi(module: Module, options: AdapterOptions): boolean {
  const { registerTelemetry, registerTelemetryIntegration } = module;
  if (typeof registerTelemetry === 'function') registerTelemetry(heartlineTelemetry(options));
  else if (typeof registerTelemetryIntegration === 'function') {
    registerTelemetryIntegration(heartlineIntegration(options));
  } else return false;
  return true;
}

async function registerLangChainIn(module: Module, options: AdapterOptions): Promise<boolean> {
  const singletons = (await load('@langchain/core/singletons')) as unknown as LangChainSingletons;
  registerLangChain(module as unknown as LangChainContext, { ...options, singletons });
  return true;
}

/** Loads a module of the program; its name is no constant, so that bundlers leave it alone. */
async function load(name: string): Promise<Module> {
  return (await import(name)) as Module;
}

function registerOpenAiAgents(module: Module, options: AdapterOptions): boolean {
  const { addTraceProcessor, getCurrentSpan } = module;
  if (typeof addTraceProcessor !== 'function') return false;
  const current = getCurrentSpan as (() => { spanId: string } | null) | undefined;
  addTraceProcessor(new HeartlineTraceProcessor(options, current));
  return true;
}

function registerOtel(module: Module, options: AdapterOptions): boolean {
  const trace = module['trace'] as { getTracerProvider(): { getDelegate?(): unknown } } | undefined;
  const provider = trace?.getTracerProvider();
  const delegate = (provider?.getDelegate?.() ?? provider) as
    | { addSpanProcessor?: unknown }
    | undefined;
  if (typeof delegate?.addSpanProcessor !== 'function') return false;
  delegate.addSpanProcessor(new HeartlineSpanProcessor(options));
  return true;
}
