import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { DASHBOARDS } from './generate.ts';
import { picture } from './picture.ts';
import { connectPrometheus } from './prometheus.ts';

/** `npm run dashboards:pictures` draws every dashboard from the data of a Prometheus into deploy/grafana/pictures. */
const { values } = parseArgs({
  options: {
    prometheus: { type: 'string', default: 'http://localhost:9090' },
    minutes: { type: 'string', default: '15' },
    /** Scrape interval, seconds. */
    scrape: { type: 'string', default: '15' },
  },
});
const POINTS = 32;

const end = Math.floor(Date.now() / 1000);
const seconds = Number(values.minutes) * 60;
const view = {
  prometheus: connectPrometheus(values.prometheus),
  span: { start: end - seconds, end, step: Math.max(1, Math.round(seconds / POINTS)) },
  scrape: Number(values.scrape),
};
const directory = new URL('../pictures/', import.meta.url);
await mkdir(directory, { recursive: true });
for (const [name, make] of Object.entries(DASHBOARDS)) {
  const svg = await picture(make(), view);
  await writeFile(new URL(`${name}.svg`, directory), svg);
  process.stdout.write(`deploy/grafana/pictures/${name}.svg: ${Math.round(svg.length / 1024)} KiB\n`);
}
