import { expect, test } from 'vitest';
import { parseSamples } from '../../src/reconciliation/exposition.ts';
import { registryOf } from './prom-client-registry.ts';

const EXPOSITION = `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{route="/a",code="200"} 7
requests_total{route="/b",code="404"} 0
# HELP memory_bytes Memory.
# TYPE memory_bytes gauge
memory_bytes 12.5
# HELP seconds Duration.
# TYPE seconds histogram
seconds_bucket{route="/a",le="0.5"} 1
seconds_bucket{route="/a",le="1"} 3
seconds_bucket{route="/a",le="+Inf"} 4
seconds_count{route="/a"} 4
seconds_sum{route="/a"} 5
seconds_bucket{route="/b",le="0.5"} 0
seconds_bucket{route="/b",le="1"} 0
seconds_bucket{route="/b",le="+Inf"} 0
seconds_count{route="/b"} 0
seconds_sum{route="/b"} 0
`;

/** Sums are of other observations. */
const seriesOf = (text: string) =>
  parseSamples(text)
    .map(({ name, labels, value }) => {
      const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
      return `${name} ${JSON.stringify(sorted)} ${name.endsWith('_sum') ? '' : value}`;
    })
    .sort();

test('prom-client has each series of the exposition, and the values of those that are not sums', async () => {
  expect(seriesOf(await registryOf(EXPOSITION).metrics())).toEqual(seriesOf(EXPOSITION));
});
