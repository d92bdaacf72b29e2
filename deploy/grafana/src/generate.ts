import { readFile, writeFile } from 'node:fs/promises';
import { readOptions } from '../../command-line.ts';
import type { ImportableDashboard } from './dashboard.ts';
import { overview } from './overview.ts';
import { perAgent } from './per-agent.ts';
import { pipeline } from './pipeline.ts';
import { objectives } from './slo.ts';

/** Every dashboard, by the name of its file. */
export const DASHBOARDS: Readonly<Record<string, () => ImportableDashboard>> = {
  overview,
  'per-agent': perAgent,
  pipeline,
  slo: objectives,
};

const USAGE = `usage: npm run dashboards -- [options]

Writes deploy/grafana/*-dashboard.json anew from deploy/grafana/src.

  --check  writes nothing; exit code 1 when a file is not what the source makes
  --help
`;

async function main(): Promise<void> {
  const { check } = readOptions(USAGE, { check: { type: 'boolean', default: false } });
  const drifted: string[] = [];
  for (const [name, make] of Object.entries(DASHBOARDS)) {
    const file = new URL(`../${name}-dashboard.json`, import.meta.url);
    const text = `${JSON.stringify(make(), null, 2)}\n`;
    const before = await readFile(file, 'utf8').catch(() => '');
    if (before === text) continue;
    drifted.push(`deploy/grafana/${name}-dashboard.json`);
    if (!check) await writeFile(file, text);
  }
  if (!check) {
    for (const file of drifted) process.stdout.write(`${file} written\n`);
  } else if (drifted.length > 0) {
    process.stderr.write(`not what deploy/grafana/src makes (npm run dashboards): ${drifted.join(', ')}\n`);
    process.exitCode = 1;
  }
}

if (import.meta.main) await main();
