import type { Config } from '../config.ts';
import type { Database } from '../db/client.ts';
import { MAX_AGENT_SERIES } from '../label-values.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { seriesPositions, takeSeriesPositions } from './series-store.ts';

/**
 * Lets the database decide which agents have series of their own: the first `METRICS_AGENT_LIMIT` that were counted in the
 * deployment, so that they are the same ones on every replica and after every restart. Positions are given out beyond the limit
 * too. So a limit that is raised or lowered at a restart moves the border within one order, and the border of a deployment is
 * where its replicas are configured alike.
 * @returns the function that ends this; call it before the database is closed
 */
export async function admitAgentsToSeries({
  config,
  db,
  telemetry,
}: {
  config: Pick<Config, 'metricsEnabled' | 'metricsPerAgent' | 'metricsAgentLimit'>;
  db: Pick<Database, 'background'>;
  telemetry: Pick<Telemetry, 'agentSeries' | 'events'>;
}): Promise<(timeoutMs: number) => Promise<void>> {
  const { metricsEnabled, metricsPerAgent, metricsAgentLimit } = config;
  if (!metricsEnabled || !metricsPerAgent) return async () => undefined;
  telemetry.agentSeries.open({
    limit: metricsAgentLimit,
    positions: MAX_AGENT_SERIES,
    known: await seriesPositions(db.background),
    take: (ids) => takeSeriesPositions(db.background, { ids, positions: MAX_AGENT_SERIES }),
    onError: (error) => telemetry.events.metricsCollectionFailed({ metric: 'grantex_agent_*', error }),
  });
  return (timeoutMs) => telemetry.agentSeries.close(timeoutMs);
}
