import { DiagLogLevel, diag } from '@opentelemetry/api';
import { setGlobalErrorHandler } from '@opentelemetry/core';
import type { DiagnosticLevel } from '../src/variables/opentelemetry.ts';
import { notePartialSuccess } from './export-attempt.ts';
import type { LineStream } from './stdout.ts';

const QUIET_MS = 10_000;
/** The most kinds of messages at one level that are distinguished. Further ones count as one kind. */
const MOST_KINDS = 20;

const LEVELS: Readonly<Record<DiagnosticLevel, DiagLogLevel>> = {
  none: DiagLogLevel.NONE,
  error: DiagLogLevel.ERROR,
  warn: DiagLogLevel.WARN,
  info: DiagLogLevel.INFO,
  debug: DiagLogLevel.DEBUG,
  verbose: DiagLogLevel.VERBOSE,
  all: DiagLogLevel.ALL,
};

/**
 * Writes the diagnostics of OpenTelemetry's packages to the record, as JSON lines. Their default logger would write plain text
 * to standard output. A collector that is down causes a fault per batch. Each kind of message gets one line in ten seconds,
 * with the number of suppressed ones.
 */
export function logDiagnostics(record: Pick<LineStream, 'write'>, level: DiagnosticLevel): void {
  const logLevel = LEVELS[level];
  const at = (word: string, its: DiagLogLevel) => {
    const kinds = new Map<string, { quietUntil: number; suppressed: number }>();
    return (...said: unknown[]) => {
      if (notePartialSuccess(said) || its > logLevel) return;
      const message = textOf(said);
      // Messages that differ only in numbers (times, counts, ports) are of one kind.
      const name = message.replace(/\d+/g, '0');
      const kind = kinds.has(name) || kinds.size < MOST_KINDS ? name : '';
      const before = kinds.get(kind);
      const now = performance.now();
      if (before && now < before.quietUntil && logLevel <= DiagLogLevel.WARN) {
        before.suppressed += 1;
        return;
      }
      kinds.set(kind, { quietUntil: now + QUIET_MS, suppressed: 0 });
      const timestamp = new Date().toISOString();
      const suppressed = before?.suppressed ?? 0;
      record.write(
        `${JSON.stringify({ level: word, timestamp, msg: 'otel.diagnostic', message, suppressed })}\n`,
      );
    };
  };
  diag.setLogger(
    {
      error: at('error', DiagLogLevel.ERROR),
      warn: at('warn', DiagLogLevel.WARN),
      info: at('info', DiagLogLevel.INFO),
      debug: at('debug', DiagLogLevel.DEBUG),
      verbose: at('trace', DiagLogLevel.VERBOSE),
    },
    // Exporters warn of partial success, which is counted whatever is told.
    { logLevel: Math.max(logLevel, DiagLogLevel.WARN), suppressOverrideMessage: true },
  );
  // The default handler would make a text of JSON.
  setGlobalErrorHandler((error) =>
    diag.error(typeof error === 'string' ? error : (error.message ?? String(error.code))),
  );
}

/** Packages pass their name as a first, separate text. Values that are neither text nor errors are left out. */
const textOf = (said: readonly unknown[]): string =>
  said
    .map((part) => (part instanceof Error ? part.message : part))
    .filter((part) => typeof part === 'string')
    .join(' ');
