/** Agents that end in some way, and what a collector shows of that. */

import assert from 'node:assert/strict';

import type { AgentView, Collector } from './collector.js';

/** Source of an agent that does one thing once it is live. */
export function agent(name: string, once: string, first = ''): string {
  return `
    import { start } from 'heartline';
    ${first}
    const hb = start('${name}');
    hb.report({ costUsd: 1 });
    while (!hb.status().isHealthy) await new Promise((resolve) => setTimeout(resolve, 10));
    console.log('live');
    ${once}`;
}

export const FOREVER = 'setInterval(() => {}, 1_000);';

/** Says how an agent has ended: a goodbye is the kill by the agent's own hand. */
export function endOf({ state, reason }: AgentView): string {
  return `${state} ${reason}`;
}

/** Waits for the goodbye of an agent, with all its work. */
export async function saysGoodbye(collector: Collector, name: string): Promise<void> {
  const ended = await collector.until(name, (it) => it.state !== 'healthy');
  const { total } = ended;
  assert.deepEqual(
    [endOf(ended), total.ok, total.cost_nano_usd],
    ['killed shutdown', 1, 1_000_000_000],
    name,
  );
}
