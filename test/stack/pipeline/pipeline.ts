import { freePorts, loopback, type Ports } from '../../../deploy/programs/stack/addresses.ts';
import { type ProgramName, telemetryEnv } from '../../../deploy/programs/stack/definitions.ts';
import { Stack } from '../../../deploy/programs/stack/stack.ts';
import type { TestDatabase } from '../../support/database.ts';
import { startService, type TestService, temporaryDirectory } from '../../support/service.ts';
import { HOOK_ENV } from '../../webhooks/hooks.ts';
import { Jaeger } from './jaeger.ts';
import { type LogBackend, startLogBackend } from './log-backend.ts';
import { Prometheus } from './prometheus.ts';

/** The real programs around a real service, with the committed configuration, and their received data. */
export interface Pipeline {
  readonly ports: Ports;
  readonly stack: Stack;
  readonly jaeger: Jaeger;
  readonly prometheus: Prometheus;
  readonly logs: LogBackend;
  /** Starts a service that sends its data here, at the address that Prometheus and the probe use. */
  startService(env?: Record<string, string>, database?: TestDatabase): Promise<TestService>;
  /** Ends the programs. Tests end their services themselves. */
  stop(): Promise<void>;
}

/** Starts the named programs on free ports. Intervals are one second, and logs go to a backend of the test. */
export async function startPipeline(...programs: readonly ProgramName[]): Promise<Pipeline> {
  const ports = await freePorts();
  const directory = await temporaryDirectory();
  const logs = await startLogBackend();
  const stack = new Stack({
    ports,
    directory: directory.path,
    shortIntervals: true,
    env: { 'otel-collector': logs.ofCollector },
  });
  const killAll = () => stack.killAll();
  process.once('exit', killAll);
  const stop = async () => {
    await stack.stop();
    process.off('exit', killAll);
    await logs.close();
    await directory.remove();
  };
  try {
    await stack.start(...programs);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ports,
    stack,
    jaeger: new Jaeger(`http://${loopback(ports.jaeger)}`),
    prometheus: new Prometheus(`http://${loopback(ports.prometheus)}`),
    logs,
    startService: (env = {}, database) =>
      startService({
        ...(database && { database }),
        env: { ...HOOK_ENV, ...telemetryEnv(ports), PORT: String(ports.service), ...env },
      }),
    stop,
  };
}
