import { DiagLogLevel, diag } from '@opentelemetry/api';
import type { LineStream } from './stdout.ts';

const QUIET_MS = 10_000;

const LEVELS: Readonly<Record<string, DiagLogLevel>> = {
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
 * write plain text to standard output. A collector that is down makes a fault per batch; one line in ten seconds per level
 * says so, with the number it stands for. `OTEL_LOG_LEVEL` sets the level (default `warn`).
 */
export function logDiagnostics(record: LineStream, level: string | undefined): void {
  const logLevel = LEVELS[level?.toLowerCase() ?? ''] ?? DiagLogLevel.WARN;
  const at = (word: string) => {
    let quietUntil = Number.NEGATIVE_INFINITY;
    let suppressed = 0;
    return (message: string) => {
      const now = performance.now();
      if (now < quietUntil && logLevel <= DiagLogLevel.WARN) {
        suppressed += 1;
        return;
      }
      const line = {
        level: word,
        timestamp: new Date().toISOString(),
        msg: 'otel.diagnostic',
        message,
        suppressed,
      };
      quietUntil = now + QUIET_MS;
      suppressed = 0;
      record.write(`${JSON.stringify(line)}\n`);
    };
  };
  diag.setLogger(
    { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug'), verbose: at('trace') },
    { logLevel, suppressOverrideMessage: true },
  );
}
