// A program of a user, in CommonJS, under strict settings and without `skipLibCheck`.
import { AgentKilled, start, type Heartline } from 'heartline';
import { HeartlineSpanProcessor } from 'heartline/otel';

const hb: Heartline = start('typed', { interval: 500, onKill: 'raise' });
const done: Promise<number> = hb.task('count', async (t) => {
  t.tokens({ output: 3 });
  return 3;
});
// @ts-expect-error: a task takes a function.
void hb.task('count');
// @ts-expect-error: a cost is a number.
hb.report({ costUsd: '1' });
export const all = [done, AgentKilled, HeartlineSpanProcessor] as const;
