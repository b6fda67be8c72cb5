/** What a collector has counted of an agent. */

import { type Heartline, start } from 'heartline';

import type { Collector } from './collector.js';

/** Starts an agent that reports to a collector. */
export async function startAgent(collector: Collector, name: string): Promise<Heartline> {
  const hb = start(name, {
    collector: collector.address,
    token: collector.token,
    interval: 100,
    stateDir: collector.dir,
  });
  await collector.until(name, (it) => it.state === 'healthy');
  return hb;
}

/** Waits until as many tasks have ended, and returns all that was counted. */
export async function counted(collector: Collector, name: string, tasks: number) {
  const isCounted = ({ ok, failed }: { ok: number; failed: number }) => ok + failed >= tasks;
  await collector.until(name, (it) => isCounted(it.total) && it.in_flight === 0);
  // One more beat would bring what was counted too often.
  await new Promise((resolve) => setTimeout(resolve, 250));
  const { total } = await collector.until(name, (it) => it.in_flight === 0);
  return {
    ok: total.ok,
    failed: total.failed,
    in: total.tokens_in,
    out: total.tokens_out,
    nano: total.cost_nano_usd,
  };
}
