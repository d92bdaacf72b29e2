import { type Sink, startSink } from '../instrumentation/child.ts';
import { startService, type TestService } from '../support/service.ts';

/** The real service, with a collector's port that keeps what it is sent, as OTLP JSON. */
export interface TracedService {
  readonly service: TestService;
  readonly sink: Sink;
  stop(): Promise<void>;
}

/** Starts both; spans are sent after a tenth of a second. */
export async function startTracedService(env: Record<string, string> = {}): Promise<TracedService> {
  const sink = await startSink();
  const service = await startService({
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '100',
      ...env,
    },
  });
  return {
    service,
    sink,
    async stop() {
      await service.stop();
      await sink.close();
    },
  };
}
