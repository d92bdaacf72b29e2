import { DiagLogLevel, diag } from '@opentelemetry/api';
import type { DiagnosticLevel } from '../src/variables/opentelemetry.ts';
import type { LineStream } from './stdout.ts';

const QUIET_MS = 10_000;
/** So many kinds of messages at one level are kept apart; the rest count as one kind. */
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
 * Sends what OpenTelemetry's packages have to say about themselves to the record, as JSON lines: their own logger would
 * write plain text to standard output. A collector that is down makes a fault per batch; one line in ten seconds for each
 * kind of message says so, with the number it stands for.
 */
export function logDiagnostics(record: LineStream, level: DiagnosticLevel): void {
  const logLevel = LEVELS[level];
  const at = (word: string) => {
    const kinds = new Map<string, { quietUntil: number; suppressed: number }>();
    return (...said: unknown[]) => {
      const message = textOf(said);
      // What differs in numbers alone (times, counts, ports) is of one kind.
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
    { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug'), verbose: at('trace') },
    { logLevel, suppressOverrideMessage: true },
  );
}

/** Packages put their name in front as a text of its own. What is neither text nor an error may be anything, and is left out. */
const textOf = (said: readonly unknown[]): string =>
  said
    .map((part) => (part instanceof Error ? part.message : part))
    .filter((part) => typeof part === 'string')
    .join(' ');
