/** `npm run reconcile`: the counters and gauges of a live deployment against the rows in its database. */
import { readFile, writeFile } from 'node:fs/promises';
import { USAGE_ERROR } from '../command-line-error.ts';
import { type Config, ConfigError, loadConfig } from '../config.ts';
import { hasCluster } from '../data-dir.ts';
import type { Database } from '../db/client.ts';
import { REMEMBERED_DAYS } from '../db/removed-counts.ts';
import { describeReconciliation, differs } from '../reconciliation/describe.ts';
import type { Source } from '../reconciliation/observation.ts';
import { createPrometheus } from '../reconciliation/prometheus-api.ts';
import { prometheusSource } from '../reconciliation/prometheus-source.ts';
import { reconcile, takeSnapshot } from '../reconciliation/reconcile.ts';
import { scrapeSource } from '../reconciliation/scrape-source.ts';
import { parseSnapshot, type Snapshot } from '../reconciliation/snapshot.ts';
import { type ReconcileCommand, readReconcileOptions, USAGE } from './reconcile-options.ts';
import { CommandError, runCommand } from './run-command.ts';
import { withDatabase } from './with-database.ts';

const DIFFERS = 1;
const NO_ANSWER = 3;

await runCommand(async (print) => {
  const command = readReconcileOptions(process.argv.slice(2));
  if (!command) return print(USAGE.trimEnd());
  const config = loadConfig(process.env, { sealing: false });
  const since = command.since === null ? null : await readSnapshot(command.since);
  if (config.databaseUrl === null && !hasCluster(config.dataDir))
    throw new ConfigError([`DATA_DIR: there is no database in ${config.dataDir}; set it, or DATABASE_URL`]);
  await withDatabase(config, (db) => compare({ command, config, since, db, print })).catch((error) => {
    if (error instanceof ConfigError || error instanceof CommandError) throw error;
    throw new CommandError(error instanceof Error ? error.message : String(error), NO_ANSWER, error);
  });
});

interface Work {
  readonly command: ReconcileCommand;
  readonly config: Config;
  readonly since: Snapshot | null;
  readonly db: Database;
  readonly print: (text: string) => void;
}

async function compare({ command, config, since, db, print }: Work): Promise<void> {
  const source = sourceOf(command, config, since);
  const { patienceMs } = command;
  if (command.snapshot !== null) {
    const snapshot = await takeSnapshot({ db, source, patienceMs });
    await writeFile(command.snapshot, `${JSON.stringify(snapshot, null, 2)}\n`);
    return print(`${command.snapshot}: ${snapshot.processes.length} processes at ${snapshot.takenAt}`);
  }
  const result = await reconcile({ db, source, since, fullCount: command.fullCount, patienceMs });
  print(command.json ? JSON.stringify(result, null, 2) : describeReconciliation(result).trimEnd());
  if (!differs(result)) return;
  if (since === null && !command.json)
    print(
      'Without --since everything in the database must have been counted by these processes: where it is older, begin with --snapshot.',
    );
  process.exitCode = DIFFERS;
}

function sourceOf(command: ReconcileCommand, config: Config, since: Snapshot | null): Source {
  const { prometheus, scrape, job, lookbackMs } = command;
  if (prometheus !== null) {
    const from = since ? Date.parse(since.takenAt) : Date.now() - lookbackMs;
    const endingMs = config.shutdownDelayMs + config.shutdownTimeoutMs;
    return prometheusSource(createPrometheus(prometheus), job, from, endingMs);
  }
  const port = config.metricsPort ?? config.port;
  return scrapeSource(scrape ?? [`http://127.0.0.1:${port}/metrics`], config.metricsApiKey);
}

async function readSnapshot(file: string): Promise<Snapshot> {
  try {
    const snapshot = parseSnapshot(await readFile(file, 'utf8'));
    if (Date.now() - Date.parse(snapshot.takenAt) > REMEMBERED_DAYS * 86_400_000)
      throw new Error(`it is older than ${REMEMBERED_DAYS} days`);
    return snapshot;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(`--since ${file}: ${reason}`, USAGE_ERROR, error);
  }
}
