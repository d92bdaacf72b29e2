import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts, loopback } from '../../../deploy/programs/stack/addresses.ts';
import { temporaryDirectory, waitFor } from '../../support/service.ts';
import { Prometheus } from './prometheus.ts';

/** A Prometheus without rules. */
export interface ScrapingPrometheus extends Prometheus {
  readonly url: string;
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

/** Starts one that scrapes these processes of the service every second, and waits until it has scraped all of them. */
export async function startScraping(
  targets: readonly { readonly url: string }[],
): Promise<ScrapingPrometheus> {
  const directory = await temporaryDirectory();
  const hosts = targets.map(({ url }) => new URL(url).host);
  const config = join(directory.path, 'prometheus.yml');
  await writeFile(
    config,
    JSON.stringify({
      global: { scrape_interval: '1s', scrape_timeout: '1s' },
      scrape_configs: [{ job_name: 'grantex-auth', static_configs: [{ targets: hosts }] }],
    }),
  );
  const address = loopback((await freePorts()).prometheus);
  const data = `${directory.path}/data`;
  const child = spawn(
    '/usr/bin/prometheus',
    [`--config.file=${config}`, `--storage.tsdb.path=${data}`, `--web.listen-address=${address}`],
    { stdio: 'ignore' },
  );
  const url = `http://${address}`;
  const stop = async () => {
    child.kill('SIGKILL');
    await directory.remove();
  };
  const prometheus = Object.assign(new Prometheus(url), { url, process: child, stop });
  const up = async () => (await prometheus.query('up == 1').catch(() => [])).length;
  try {
    await waitFor(async () => (await up()) === hosts.length || undefined, 30_000);
  } catch (error) {
    await stop();
    throw error;
  }
  return prometheus;
}
