import { readFile, writeFile } from 'node:fs/promises';
import { readOptions } from '../command-line.ts';
import { knownSeries } from '../rules/known-series.ts';
import { readRules } from '../rules/rule-files.ts';
import { checkDashboard, checkSameColours } from './check-dashboard.ts';
import type { ImportableDashboard } from './dashboard.ts';
import { overview } from './overview.ts';
import { perAgent } from './per-agent.ts';
import { digestOf, drawnFrom } from './picture.ts';
import { pipeline } from './pipeline.ts';
import { objectives } from './slo.ts';

/** Every dashboard, by the name of its file. */
export const DASHBOARDS: Readonly<Record<string, () => ImportableDashboard>> = {
  overview,
  'per-agent': perAgent,
  pipeline,
  slo: objectives,
};

const GRAFANA = new URL('../../grafana/', import.meta.url);
/** The directory of the pictures. Each has the name of its dashboard. */
export const PICTURES = new URL('pictures/', GRAFANA);

const USAGE = `usage: npm run dashboards -- [options]

Writes deploy/grafana/*-dashboard.json anew from deploy/programs/dashboards.

  --check  writes nothing; exit code 1 when a file is not what the source makes, or a picture shows another state
  --help
`;

/** The names of the pictures that show an older state of their dashboard. */
export async function outdatedPictures(directory: URL = PICTURES): Promise<string[]> {
  const outdated: string[] = [];
  for (const [name, make] of Object.entries(DASHBOARDS)) {
    const svg = await readFile(new URL(`${name}.svg`, directory), 'utf8').catch(() => '');
    if (drawnFrom(svg) !== digestOf(make())) outdated.push(name);
  }
  return outdated;
}

/** What breaks the rules of `check-dashboard.ts`, one sentence each. */
export async function problems(): Promise<string[]> {
  const known = knownSeries(await readRules(new URL('../../prometheus/rules/', import.meta.url)));
  const made = Object.entries(DASHBOARDS).map(([name, make]) => [name, make()] as const);
  return [
    ...made.flatMap(([name, dashboard]) =>
      checkDashboard(dashboard, known).map((problem) => `${name}: ${problem}`),
    ),
    ...checkSameColours(made.map(([, dashboard]) => dashboard)),
  ];
}

async function main(): Promise<void> {
  const { check } = readOptions(USAGE, { check: { type: 'boolean', default: false } });
  const drifted: string[] = [];
  for (const [name, make] of Object.entries(DASHBOARDS)) {
    const file = new URL(`${name}-dashboard.json`, GRAFANA);
    const text = `${JSON.stringify(make(), null, 2)}\n`;
    const before = await readFile(file, 'utf8').catch(() => '');
    if (before === text) continue;
    drifted.push(`deploy/grafana/${name}-dashboard.json`);
    if (!check) await writeFile(file, text);
  }
  const outdated = await outdatedPictures();
  if (!check) {
    for (const file of drifted) process.stdout.write(`${file} written\n`);
    if (outdated.length > 0) process.stdout.write(`to be drawn anew: ${outdated.join(', ')}\n`);
    return;
  }
  const complain = (fault: string) => {
    process.stderr.write(`${fault}\n`);
    process.exitCode = 1;
  };
  for (const problem of await problems()) complain(problem);
  if (drifted.length > 0)
    complain(`not what deploy/programs/dashboards makes (npm run dashboards): ${drifted.join(', ')}`);
  if (outdated.length > 0)
    complain(`pictures of another state (npm run dashboards:pictures): ${outdated.join(', ')}`);
}

if (import.meta.main) await main();
