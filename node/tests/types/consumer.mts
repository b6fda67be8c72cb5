// A program of a user, in ESM, under strict settings and without `skipLibCheck`.
import {
  start,
  auto,
  current,
  currentTask,
  AgentKilled,
  type Heartline,
  type Report,
  type Status,
  type Task,
} from 'heartline';
import { HeartlineSpanProcessor } from 'heartline/otel';
import { heartlineTelemetry, heartlineIntegration } from 'heartline/ai';
import { heartlineHandler, registerLangChain } from 'heartline/langchain';
import { HeartlineTraceProcessor } from 'heartline/openai-agents';
const hb: Heartline = start('x', {
  interval: '30s',
  stallAfter: '20m',
  onKill: () => 1,
  labels: { a: 'b' },
});
const n: number = await hb.task('a', async (t: Task) => {
  t.cost(1);
  t.tokens({ input: 1 });
  return 7;
});
const m: number = await hb.task((t) => {
  t.step('x');
  return n;
});
const s: string = hb.taskSync(() => 'x');
const f: (a: number) => Promise<string> = hb.wrap(async (a: number) => String(a));
const r: Report = { success: true };
hb.report(r);
const st: Status = hb.status();
st.problems[0]?.kind;
const done: Promise<string[]> = auto();
void [
  m,
  s,
  f,
  done,
  current()?.agent,
  currentTask()?.isOver,
  AgentKilled,
  HeartlineSpanProcessor,
  heartlineTelemetry,
  heartlineIntegration,
  heartlineHandler,
  registerLangChain,
  HeartlineTraceProcessor,
];
