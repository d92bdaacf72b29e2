/**
 * `npm run demo`: sends realistic traffic to a running service. Exit codes: 0 done (also after Ctrl-C), 2 bad usage, 1
 * other.
 */
import { writeFile } from 'node:fs/promises';
import { DemoError } from './developers.ts';
import { type CommandOptions, readDemoOptions } from './options.ts';
import { describe } from './report.ts';
import { type Progress, runDemo } from './run.ts';

const LOG_INTERVAL_S = 10;

try {
  await run(readDemoOptions());
} catch (error) {
  if (!(error instanceof DemoError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function run({ json, quiet, ...options }: CommandOptions): Promise<void> {
  const stopping = new AbortController();
  const stop = () => {
    if (stopping.signal.aborted) process.exit(130);
    stopping.abort();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  const summary = await runDemo({
    ...options,
    signal: stopping.signal,
    onProgress: quiet ? () => undefined : progressLine(options.seconds),
    onNote: (text) => void process.stderr.write(`${process.stderr.isTTY ? '\r\x1b[K' : ''}note: ${text}\n`),
  });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const text = `${JSON.stringify(summary, null, 2)}\n`;
  process.stdout.write(json === '-' ? text : describe(summary));
  if (json !== null && json !== '-') await writeFile(json, text);
}

/** On a terminal, one line that is rewritten each second. Elsewhere, a new line every ten seconds. */
function progressLine(seconds: number): (progress: Progress) => void {
  const { stderr } = process;
  let written = 0;
  return (now) => {
    const line =
      `${Math.round(now.seconds)} of ${seconds} s  ${now.rate.toFixed(1)} flows/s  ${now.flows} flows  ` +
      `${now.requests} requests: ${now.ok} ok, ${now.refused} refused, ${now.limited} limited, ${now.failed} failed, ${now.unanswered} unanswered`;
    if (stderr.isTTY) stderr.write(`\r\x1b[K${line.slice(0, stderr.columns - 1)}`);
    else if (now.seconds >= written + LOG_INTERVAL_S) {
      written = now.seconds;
      stderr.write(`${line}\n`);
    }
  };
}
