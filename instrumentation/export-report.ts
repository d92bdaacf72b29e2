import type { DiagnosticLevel } from '../src/variables/opentelemetry.ts';
import type { ExportOutcome } from './export-attempt.ts';
import type { LineStream } from './stdout.ts';

export type Signal = 'traces' | 'logs' | 'metrics';

/** Hears how the exports of one signal go. */
export interface ExportReport {
  ended(outcome: ExportOutcome): void;
  /** Items that found no place in the queue. */
  queueFull(items: number): void;
  /** Tells what has not been told yet, and the `unsent` items that the end of the process loses. Then it is silent. */
  close(unsent: number): void;
}

const QUIET_MS = 10_000;

interface Failure {
  readonly url?: string | undefined;
  readonly error: string;
  readonly message: string;
}

/**
 * Writes an `otel.diagnostic` line to the record for what does not arrive: for exports that fail, for what a collector rejects
 * and for a full queue one line each in ten seconds. What has no line of its own is in the next one, which comes even if nothing
 * else happens. So the `lost` of all lines add up to all that was lost. One more line says when exports work again.
 */
export function createExportReport(
  signal: Signal,
  record: Pick<LineStream, 'write'>,
  level: DiagnosticLevel,
): ExportReport {
  const silent = level === 'none' || level === 'error';
  let closed = false;
  const write = (word: 'warn' | 'info', fields: object) => {
    if (silent) return;
    const timestamp = new Date().toISOString();
    record.write(
      `${JSON.stringify({ level: word, timestamp, msg: 'otel.diagnostic', signal, ...fields })}\n`,
    );
  };
  const tell = (failure: Failure, lost: number, suppressed: number) =>
    write('warn', { ...failure, lost, suppressed });

  /** Exports that failed one after another. It is told before its end is. */
  let outage: { readonly since: number; told: boolean; over: boolean } | undefined;
  const failures = createLimited((...failure) => {
    tell(...failure);
    if (outage === undefined) return;
    outage.told = true;
    if (outage.over) tellEnd(failure[0].url);
  });
  const rejections = createLimited(tell);
  const overflows = createLimited(tell);
  const tellEnd = (url: string | undefined) => {
    if (outage === undefined) return;
    const seconds = Math.round((performance.now() - outage.since) / 1000);
    outage = undefined;
    write('info', { url, seconds, message: `the export of ${signal} works again` });
  };

  return {
    ended({ url, error, message = '', lost }) {
      if (closed) return;
      const failure = { url, error: error ?? '', message: `the export of ${signal} failed: ${message}` };
      if (error !== undefined && error !== PARTIAL) {
        outage ??= { since: performance.now(), told: false, over: false };
        outage.over = false;
        failures.add(failure, lost);
        return;
      }
      if (error === PARTIAL) rejections.add(failure, lost);
      if (outage === undefined) return;
      outage.over = true;
      if (!outage.told) return;
      failures.flush();
      tellEnd(url);
    },
    queueFull(items) {
      if (!closed) overflows.add({ error: 'queue_full', message: `the queue of ${signal} is full` }, items);
    },
    close(unsent) {
      if (closed) return;
      closed = true;
      for (const limited of [failures, rejections, overflows]) limited.flush();
      if (unsent > 0)
        tell(
          { error: 'shutdown', message: `the end of the service came before ${signal} were sent` },
          unsent,
          0,
        );
    },
  };
}

const PARTIAL = 'partial_success';

/** Hands failures over at most once in ten seconds, with what was lost and how many others each stands for. */
function createLimited(tell: (failure: Failure, lost: number, suppressed: number) => void) {
  let quietUntil = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let waiting: { failure: Failure; lost: number; others: number } | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting === undefined) return;
    const { failure, lost, others } = waiting;
    waiting = undefined;
    quietUntil = performance.now() + QUIET_MS;
    tell(failure, lost, others);
  };
  return {
    add(failure: Failure, lost: number) {
      waiting = waiting
        ? { failure, lost: waiting.lost + lost, others: waiting.others + 1 }
        : { failure, lost, others: 0 };
      const quietMs = quietUntil - performance.now();
      if (quietMs <= 0) flush();
      else timer ??= setTimeout(flush, quietMs).unref();
    },
    flush,
  };
}
