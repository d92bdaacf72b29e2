import { mkdir, writeFile } from 'node:fs/promises';
import { readNumber, readOptions, refuse } from '../command-line.ts';
import { DASHBOARDS, PICTURES } from './generate.ts';
import { picture } from './picture.ts';
import { connectPrometheus } from './prometheus.ts';

const USAGE = `usage: npm run dashboards:pictures -- [options]

Draws every dashboard, from the data of a running Prometheus, into deploy/grafana/pictures.

  --prometheus <url>  where the data is (http://localhost:9090)
  --minutes <n>       how far the pictures look back (15)
  --scrape <n>        seconds between two scrapes of that Prometheus (15)
  --help
`;

const values = readOptions(USAGE, {
  prometheus: { type: 'string', default: 'http://localhost:9090' },
  minutes: { type: 'string', default: '15' },
  scrape: { type: 'string', default: '15' },
});
const POINTS = 32;

const end = Math.floor(Date.now() / 1000);
const seconds = readNumber('--minutes', values.minutes, 1, 100_000) * 60;
const view = {
  prometheus: connectPrometheus(values.prometheus),
  span: { start: end - seconds, end, step: Math.max(1, Math.round(seconds / POINTS)) },
  scrape: readNumber('--scrape', values.scrape, 1, 3600),
};
await fetch(`${values.prometheus}/-/ready`).catch(() =>
  refuse(`no Prometheus answers at ${values.prometheus}`),
);
await mkdir(PICTURES, { recursive: true });
for (const [name, make] of Object.entries(DASHBOARDS)) {
  const svg = await picture(make(), view);
  await writeFile(new URL(`${name}.svg`, PICTURES), svg);
  process.stdout.write(`deploy/grafana/pictures/${name}.svg: ${Math.round(svg.length / 1024)} KiB\n`);
}
