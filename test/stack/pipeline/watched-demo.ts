import type { Summary } from '../../../deploy/demo/report.ts';
import { runDemo } from '../../../deploy/demo/run.ts';
import type { View } from '../../../deploy/grafana/src/panel-data.ts';
import { connectPrometheus } from '../../../deploy/grafana/src/prometheus.ts';
import { loopback } from '../../../deploy/stack/addresses.ts';
import type { Scrape } from '../../support/scrape.ts';
import { type TestService, waitFor } from '../../support/service.ts';
import { type Pipeline, startPipeline } from './pipeline.ts';

const DEMO_SECONDS = 45;

/** A demo that a real Prometheus has looked at from before its beginning until after its end. */
export interface WatchedDemo {
  readonly pipeline: Pipeline;
  readonly service: TestService;
  readonly summary: Summary;
  /** From before the demo to after it, with all counters at rest at both ends. */
  readonly view: Omit<View, 'values'>;
  /** How much the demo moved a counter, by what it was answered. */
  moved(metric: string, labels?: Readonly<Record<string, string>>): number;
  /** How many requests of the demo ended so. */
  ended(...outcomes: readonly string[]): number;
  stop(): Promise<void>;
}

export async function watchDemo(): Promise<WatchedDemo> {
  const pipeline = await startPipeline(
    'otel-collector',
    'jaeger',
    'prometheus',
    'blackbox',
    'alertmanager',
    'alert-sink',
  );
  let service: TestService | undefined;
  const stop = async () => {
    await service?.stop();
    await pipeline.stop();
  };
  try {
    service = await pipeline.startService({
      OTEL_BSP_SCHEDULE_DELAY: '200',
      // Every hour is an off hour, so that all types of anomalies are there by day, too.
      ANOMALY_OFF_HOURS_START: '00:00',
      ANOMALY_OFF_HOURS_END: '00:00',
      WEBHOOK_MAX_ATTEMPTS: '3',
    });
    const { summary, span } = await play(pipeline, service);
    return {
      pipeline,
      service,
      summary,
      view: {
        prometheus: connectPrometheus(`http://${loopback(pipeline.ports.prometheus)}`),
        span,
        scrape: 1,
      },
      moved: (metric, labels = {}) =>
        summary.expected
          .filter(
            (one) =>
              one.metric === metric &&
              Object.entries(labels).every(([name, value]) => one.labels[name] === value),
          )
          .reduce((sum, { value }) => sum + value, 0),
      ended: (...outcomes) =>
        summary.acts.reduce((sum, { outcome, count }) => (outcomes.includes(outcome) ? sum + count : sum), 0),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function play({ prometheus }: Pipeline, { url }: TestService) {
  const holds = async (condition: string) => (await prometheus.query(condition)).length > 0 || undefined;
  await waitFor(() => holds('count_over_time(grantex_active_grants[1h]) > 2'), 60_000);
  const start = now();
  const summary = await runDemo({
    url,
    seconds: DEMO_SECONDS,
    rate: 2,
    daySeconds: DEMO_SECONDS,
    drills: [],
    keys: [],
    receiverHost: '127.0.0.1',
    signal: new AbortController().signal,
    onProgress: () => undefined,
    onNote: () => undefined,
  });
  // Gauges are up to five seconds old; after that every counter has been scraped at rest, too.
  await waitFor(() => holds(`min(timestamp(grantex_authorize_total)) > ${now() + 7}`), 60_000);
  return { summary, span: { start, end: now(), step: 5 } };
}

const now = () => Math.ceil(Date.now() / 1000);

/** Interpolates within the bucket, as histogram_quantile does. */
export function quantileOf(scrape: Scrape, family: string, q: number): number {
  const buckets = scrape
    .labelSets(`${family}_bucket`)
    .map(
      (labels) =>
        [
          Number(labels['le'] === '+Inf' ? 'Infinity' : labels['le']),
          scrape.value(`${family}_bucket`, labels) ?? 0,
        ] as const,
    )
    .sort(([a], [b]) => a - b);
  const rank = q * (buckets.at(-1)?.[1] ?? 0);
  const index = buckets.findIndex(([, count]) => count >= rank);
  const [from, before] = buckets[index - 1] ?? [0, 0];
  const [to, count] = buckets[index] ?? [0, 0];
  return from + ((to - from) * (rank - before)) / (count - before);
}
