import { flushCompileCache } from 'node:module';
import { endHttpMeasurement, setHttpRoute } from '../instrumentation/http.ts';
import { startMetricsServer } from '../instrumentation/metrics-server.ts';
import { config, telemetrySdk } from '../instrumentation/register.ts';
import { BAD_CONFIGURATION, ConfigError } from './config.ts';
import { type RunningService, startService } from './service.ts';
import { createLogger } from './telemetry/logger.ts';
import { createTelemetry } from './telemetry/telemetry.ts';

/** Ctrl-C reaches npm and the service; npm passes it on, and the service has it twice. Nobody presses twice that fast. */
const NPM_ECHO_MS = process.env['npm_lifecycle_event'] ? 200 : 0;

const logger = createLogger({ level: config.logLevel, stream: telemetrySdk.logStream });
const { meter, tracer } = telemetrySdk;
const telemetry = createTelemetry({ meter, tracer, logger, capturePrincipal: config.capturePrincipal });

/** One `fatal` line says what; standard output is complete before the process ends. */
async function die(msg: string, error: unknown): Promise<never> {
  const code = error instanceof ConfigError ? BAD_CONFIGURATION : 1;
  const reason = error instanceof Error ? error.message : String(error);
  logger.fatal({ reason, ...(error instanceof ConfigError && { faults: error.faults }) }, msg);
  await telemetrySdk.shutdown(1000);
  process.exit(code);
}

process.on('uncaughtException', (error) => void die('process.failed', error));
process.on('unhandledRejection', (error) => void die('process.failed', error));

// The line for people on standard error is a courtesy. Whoever closed it need not read it.
process.stderr.on('error', () => undefined);

let service: RunningService | undefined;
let stopping: { readonly signal: NodeJS.Signals; readonly since: number } | undefined;
/** During the start there is nothing to finish: what it leaves half-done a crash would leave, too, and the next start mends. */
const stop = () => service?.stop() ?? telemetrySdk.shutdown(1000);
const onSignal = (signal: NodeJS.Signals) => {
  const echo = stopping?.signal === signal && performance.now() - stopping.since < NPM_ECHO_MS;
  if (echo) return;
  if (stopping) {
    logger.fatal({ reason: `${signal} during the shutdown` }, 'service.stop_abandoned');
    process.exit(1);
  }
  stopping = { signal, since: performance.now() };
  logger.info({ signal }, 'service.stopping');
  stop().then(
    () => {
      logger.info('service.stopped');
      process.exit(0);
    },
    (error) => die('service.stop_failed', error),
  );
};
process.on('SIGTERM', onSignal);
process.on('SIGINT', onSignal);
// A terminal that is closed, and some supervisors. Without a handler it would end the process at once.
process.on('SIGHUP', onSignal);

try {
  service = await startService({
    config,
    telemetry,
    scrape: telemetrySdk.scrape,
    readMetrics: telemetrySdk.readMetrics,
    startMetricsServer: (handler, host, port) => startMetricsServer(handler, { host, port }),
    setRoute: setHttpRoute,
    endMeasurement: endHttpMeasurement,
    flushTelemetry: (timeoutMs) => telemetrySdk.shutdown(timeoutMs),
    onDatabaseLost: () =>
      void die('database.ended', new Error('the embedded PostgreSQL has ended by itself')),
  });
  process.stderr.write(`${service.greeting}\n`);
  // Node does it at an orderly end only. The next start is quicker, and needs no compiler for TypeScript in memory.
  flushCompileCache();
} catch (error) {
  if (!stopping) await die('service.start_failed', error);
}
