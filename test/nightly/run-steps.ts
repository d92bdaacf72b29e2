import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { onClock } from './clock.ts';
import type { Step } from './steps.ts';

/** How a step went. */
export interface Outcome {
  readonly step: string;
  readonly seconds: number;
  readonly result: 'passed' | 'failed';
}

/** Uses a core for as long as its parent lives. */
const BUSY = 'const parent = process.ppid; while (process.ppid === parent);';

/** Runs steps one after another, whatever becomes of those before; what they write is shown. Stops when `signal` says so. */
export async function runSteps(steps: readonly Step[], signal: AbortSignal): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const step of steps) {
    if (signal.aborted) break;
    process.stdout.write(`\n== ${step.name}\n`);
    const begun = performance.now();
    const passed = await run(step).catch((error: unknown) => {
      process.stderr.write(`${step.name}: ${error}\n`);
      return false;
    });
    const seconds = Math.round((performance.now() - begun) / 1000);
    outcomes.push({ step: step.name, seconds, result: passed ? 'passed' : 'failed' });
  }
  return outcomes;
}

async function run({ command, env, clock, busyLoops = 0 }: Step): Promise<boolean> {
  const loops = Array.from({ length: busyLoops }, () => spawn(process.execPath, ['-e', BUSY]));
  try {
    const [program = '', ...args] = clock ? onClock(clock, command) : command;
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: 'inherit' });
    const [code] = await once(child, 'exit');
    return code === 0;
  } finally {
    for (const loop of loops) loop.kill('SIGKILL');
  }
}
