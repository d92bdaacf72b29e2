/**
 * Instrumentation: where telemetry goes. Node loads this file by `--import` before anything of the service. `sdk.ts` puts the
 * pieces together; `http.ts` measures requests, `views.ts` shapes the families, `scrape.ts` and `metrics-server.ts` serve
 * `/metrics`, `spans.ts`, `otlp-logs.ts` and `otlp-metrics.ts` export. Of `src/` only `main.ts` imports from here.
 */
import { writeSync } from 'node:fs';
import { BAD_CONFIGURATION, type Config, ConfigError, loadConfig } from '../src/config.ts';
import { readOtelEnv } from './otel-env.ts';
import { startTelemetry, type TelemetrySdk } from './sdk.ts';

/**
 * Entry for `node --import`: telemetry runs before anything of the service, and the modules to be instrumented, are loaded.
 * Configuration that cannot be used ends the process here, with one `fatal` line and exit code 78.
 */
async function register(): Promise<{ config: Config; telemetrySdk: TelemetrySdk }> {
  const faults: string[] = [];
  const attempt = async <T>(work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      faults.push(...error.faults);
      return undefined;
    }
  };
  const config = await attempt(() => loadConfig(process.env));
  // Read on its own first, so that faults of both readers are in the one line.
  await attempt(() => readOtelEnv(process.env));
  if (config === undefined || faults.length > 0) return refuse(faults);
  return { config, telemetrySdk: await startTelemetry(config, process.env) };
}

function refuse(faults: readonly string[]): never {
  const line = { level: 'fatal', timestamp: new Date().toISOString(), msg: 'config.invalid', faults };
  // Straight to the descriptor: nothing may be pending at the exit that follows.
  writeSync(1, `${JSON.stringify(line)}\n`);
  process.exit(BAD_CONFIGURATION);
}

export const { config, telemetrySdk } = await register();
