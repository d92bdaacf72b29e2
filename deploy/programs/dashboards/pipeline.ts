import { dashboard } from './dashboard.ts';
import { alerting, arriving, collector, scrapes } from './pipeline-rows.ts';

export const pipeline = () =>
  dashboard({
    name: 'pipeline',
    title: 'pipeline',
    description:
      'Whether telemetry arrives: what the service drops, what a scrape costs, and what waits in the collector.',
    rows: [arriving, scrapes, collector, alerting],
  });
