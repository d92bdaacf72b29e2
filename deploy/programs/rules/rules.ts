import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readOptions, refuse } from '../command-line.ts';
import { COMMITTED, type Installation, renderRules } from './render.ts';

const RULES = new URL('../../prometheus/rules/', import.meta.url);

const USAGE = `usage: npm run rules -- --output <directory> [options]

Writes a copy of deploy/prometheus/rules for your installation. Alerts on the collector, Prometheus and Alertmanager keep the jobs
otel-collector, prometheus and alertmanager.

  --output <directory>   where the files go
  --job <name>           the scrape job of the service (grantex-auth); again for each further deployment. The job of the
                         health check is called the same, with -health behind it
  --service <value>      label of every alert (grantex-auth)
  --team <value>         likewise (none)
  --namespace <value>    likewise (none)
  --cluster <value>      likewise (none)
  --grafana-url <url>    where the dashboards are (http://localhost:3000)
  --runbooks-url <url>   where deploy/runbooks can be read (http://localhost:3000/public/runbooks)
  --help
`;

/** Writes every file of rules, for an installation, into a directory. Makes the directory when it is not there. */
export async function writeRules(directory: string, installation: Installation): Promise<string[]> {
  const target = pathToFileURL(`${resolve(directory)}/`);
  await mkdir(target, { recursive: true });
  const names = (await readdir(RULES)).filter((name) => name.endsWith('.yml')).sort();
  for (const name of names) {
    const text = await readFile(new URL(name, RULES), 'utf8');
    await writeFile(new URL(name, target), renderRules(text, installation));
  }
  return names;
}

if (import.meta.main) {
  const text = { type: 'string' } as const;
  const values = readOptions(USAGE, {
    output: { ...text, default: '' },
    job: { ...text, multiple: true, default: [...COMMITTED.jobs] },
    service: { ...text, default: COMMITTED.labels['service'] ?? '' },
    team: { ...text, default: '' },
    namespace: { ...text, default: '' },
    cluster: { ...text, default: '' },
    'grafana-url': { ...text, default: COMMITTED.grafanaUrl },
    'runbooks-url': { ...text, default: COMMITTED.runbooksUrl },
  });
  const { output, job: jobs, service, team, namespace, cluster } = values;
  if (output === '') refuse('--output is missing: the directory where the files go');
  const odd = jobs.find((job) => !/^[\w.\-/]+$/.test(job));
  if (odd !== undefined) refuse(`--job ${odd}: a name of a scrape job has letters, digits and . _ - / only`);
  const names = await writeRules(output, {
    jobs,
    labels: { service, team, namespace, cluster },
    grafanaUrl: values['grafana-url'],
    runbooksUrl: values['runbooks-url'],
  });
  process.stdout.write(`${output}: ${names.length} files\n`);
}
