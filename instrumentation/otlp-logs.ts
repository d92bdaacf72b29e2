import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { diag } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import { pino } from 'pino';
import { SERVICE_VERSION } from '../src/version.ts';
import type { ExportOutcome } from './export-attempt.ts';
import type { ExportReport } from './export-report.ts';
import { DIAGNOSTIC, EXPORTED, LEDGER_BYTES, LOST, SETTLED } from './log-ledger.ts';
import type { OtelSettings, OtlpProtocol } from './otel-env.ts';
import { SERVICE_NAME } from './resource.ts';

/** Handed to the worker. */
export interface LogTransportOptions {
  readonly protocol: OtlpProtocol;
  readonly ledger: SharedArrayBuffer;
  readonly batch: OtelSettings['logBatch'];
  readonly resourceAttributes: Record<string, unknown>;
  readonly loggerName: string;
  readonly serviceVersion: string;
}

export interface OtlpLogStream {
  /** Takes a line of the logger. Never waits and never throws; what does not fit is lost and counted. */
  write(line: string): void;
  /** pino's messages to its streams (`PINO_CONFIG`), which the transport waits for. */
  emit(event: string, ...args: unknown[]): void;
  /** Lines that did not reach the collector, so far. */
  lost(): number;
  /** Sends what is held, for at most `timeoutMs`. */
  close(timeoutMs: number): Promise<void>;
}

/** How long an exit without an orderly end (`process.exit`, an uncaught error) waits for the last records to be sent. */
const EXIT_WAIT_MS = 1500;

/** How often a shutdown looks whether all records have been sent. */
const SETTLE_POLL_MS = 20;

/** Lines wait this long for others. */
const HAND_OVER_MS = 20;

const SEVERITY = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 };

/**
 * Sends log lines to the collector through pino-opentelemetry-transport in a worker thread.
 *
 * At most `batch.queue` lines are in flight, counted from the write to the end of their export. Further lines are dropped
 * here. So memory stays bounded when the collector, the network or the worker hangs. Every loss is counted, and `report` hears
 * of it.
 */
export function createOtlpLogStream(
  protocol: OtlpProtocol,
  batch: OtelSettings['logBatch'],
  report: ExportReport,
  resource: Resource,
  env: NodeJS.ProcessEnv,
): OtlpLogStream {
  const ledger = new SharedArrayBuffer(LEDGER_BYTES);
  const counts = new BigInt64Array(ledger);
  let sent = 0;
  let dropped = 0;
  let alive = true;

  const options: LogTransportOptions = {
    protocol,
    ledger,
    batch,
    resourceAttributes: resource.attributes,
    loggerName: SERVICE_NAME,
    serviceVersion: SERVICE_VERSION,
  };
  const before = process.listeners('exit');
  const worker = pino.transport({
    target: new URL('./log-transport.ts', import.meta.url).href,
    options,
    worker: {
      // Without `--import`, because the worker must not start a second telemetry.
      execArgv: [],
      // The resource is the one above, whole.
      env: { ...env, OTEL_NODE_RESOURCE_DETECTORS: 'none' },
      autoEnd: false,
    },
  });
  // pino would block the exit until the collector has answered, which takes ten seconds when it is down. It does so by
  // `autoEnd` for a ready worker, and by an `exit` listener for another one. `atExit` replaces both.
  for (const listener of process.listeners('exit'))
    if (!before.includes(listener)) process.off('exit', listener);
  // The collector's copy may end; the record on standard output goes on.
  const ended = () => {
    if (!alive) return;
    alive = false;
    report.ended({ ...NO_WORKER, lost: sent - settled() });
  };
  worker.on('close', ended);
  worker.on('error', ended);
  worker.on(EXPORTED, (outcome: ExportOutcome) => report.ended(outcome));
  worker.on(DIAGNOSTIC, (said: string) => diag.warn(said));

  // Each hand-over wakes the worker, which costs more than the lines in it.
  let held = '';
  let hand: NodeJS.Timeout | undefined;
  const handOver = () => {
    clearTimeout(hand);
    hand = undefined;
    if (held !== '') worker.write(held);
    held = '';
  };

  const settled = () => Number(Atomics.load(counts, SETTLED));
  const atExit = () => {
    const deadline = performance.now() + EXIT_WAIT_MS;
    try {
      handOver();
      // The stream would hand the lines over in the next turn of the event loop, which does not come.
      worker.flushSync();
    } catch {
      return;
    }
    while (alive && settled() < sent) {
      const left = deadline - performance.now();
      if (left <= 0) return;
      Atomics.wait(counts, SETTLED, BigInt(settled()), Math.min(left, 50));
    }
  };
  process.on('exit', atExit);

  return {
    write(line) {
      const record = alive && sent - settled() < batch.queue ? toOtlpLine(line) : undefined;
      if (record === undefined) {
        dropped += 1;
        if (alive) report.queueFull(1);
        else report.ended({ ...NO_WORKER, lost: 1 });
        return;
      }
      sent += 1;
      held += record;
      hand ??= setTimeout(handOver, HAND_OVER_MS);
    },
    emit(event, ...args) {
      worker.emit(event, ...args);
    },
    lost: () => dropped + Number(Atomics.load(counts, LOST)) + (alive ? 0 : sent - settled()),
    async close(timeoutMs) {
      handOver();
      process.off('exit', atExit);
      const deadline = performance.now() + timeoutMs;
      // A timer, not `Atomics.waitAsync`: that does not keep a process from ending in which nothing else is going on.
      while (alive && settled() < sent && performance.now() < deadline) await delay(SETTLE_POLL_MS);
      alive = false;
      // The last outcomes are on their way from the worker.
      await nextTurn();
      report.close(sent - settled());
      // Not the stream's own `end`, which blocks this thread until the collector has answered.
      const { worker: thread } = worker as unknown as { worker: Worker };
      // It holds no process open while it works, but its end is waited for.
      thread.ref();
      await thread.terminate();
    },
  };
}

const NO_WORKER = { error: 'worker_ended', message: 'the thread that sends them has ended' };

const PREFIX = /^\{"level":"([a-z]+)","timestamp":"([^"]+)"/;
const FLAGS = /("span_id":"[0-9a-f]{16}","trace_flags":)"([0-9a-f]{2})"/;

/**
 * The same record in the form that the transport understands. Severity and time are numbers; otherwise it would send no
 * severity, and the time of the worker. Trace flags are a number, as in OTLP. `undefined` for text that the logger did not write.
 */
function toOtlpLine(line: string): string | undefined {
  const [prefix, level, timestamp] = PREFIX.exec(line) ?? [];
  const severity = SEVERITY[level as keyof typeof SEVERITY];
  if (prefix === undefined || severity === undefined) return undefined;
  const rest = line
    .slice(prefix.length)
    .replace(FLAGS, (_, before, flags) => before + Number.parseInt(flags, 16));
  return `{"level":${severity},"time":${Date.parse(timestamp ?? '')}${rest}`;
}
