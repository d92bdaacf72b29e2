import { readFile, writeFile } from 'node:fs/promises';
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

/** `npm run dashboards` writes the files; with `--check` it only says which of them are not what the code makes. */
async function main(): Promise<void> {
  const check = process.argv.includes('--check');
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
