import postgres from 'postgres';
import { RefusedError } from '../drive.ts';
import { type Measured, measure } from '../measure.ts';
import type { Options } from '../options.ts';
import { medianOf, type Row, round } from '../table.ts';
import { makeTenants } from '../tenants.ts';
import type { StartedServer, Testbed } from '../testbed.ts';
import { filledDatabase } from './filled-databases.ts';
import { sizesOf } from './sizes.ts';
import { ROWS_WORK, type RowsWork, type Side, SOME_ROWS_WORK } from './work.ts';

interface Compared extends Side {
  readonly server: StartedServer;
}

/** A turn of one kind of work on one database; null when an answer was a refusal. */
type Turn = Measured | null;

/**
 * Does the same work on a database with few rows and on one with many, in turn, so that what changes on the machine
 * changes both. Two services run, one on each database; only one of them works at a time.
 * @returns the ratios of each kind of work, and the sizes of the larger database's tables
 */
export async function measureRows(
  testbed: Testbed,
  rows: NonNullable<Options['rows']>,
  { load, rounds, warmUpSeconds, tokens, smoke }: Options,
  progress: (now: string) => void,
): Promise<{ compared: Row[]; sizes: Row[] }> {
  await using undo = new AsyncDisposableStack();
  const open = async (count: number): Promise<Compared> => {
    progress(`a database with ${count} grants`);
    const url = await filledDatabase(testbed.databaseUrl, count);
    const sql = postgres(url, { max: 2, onnotice: () => undefined });
    undo.defer(() => sql.end({ timeout: 1 }));
    // A look at all agents would come in between; what one costs is measured by itself.
    await sql`update anomaly_scan set begun_at = now()`;
    const env = { DATABASE_URL: url, ANOMALY_SCAN_SECONDS: '86400' };
    const server = await testbed.start('full', { env });
    const refreshTokens = 16 * (rounds + 1);
    return { sql, server, tenants: await makeTenants(server, { tokens, refreshTokens }) };
  };
  const few = await open(rows.few);
  const many = await open(rows.many);
  const once = async (side: Compared, work: RowsWork, seconds: number): Promise<Turn> => {
    const requests = await work.requests(side);
    const scenario = { ...work, requests: () => requests };
    const { connections, amount = load.amount } = work;
    const asked = { connections, seconds, ...(amount !== undefined && { amount }) };
    try {
      return await measure(testbed, side.server, scenario, side.tenants, asked);
    } catch (error) {
      // The table says that it was refused, for example at the time limit of a request.
      if (!(error instanceof RefusedError)) throw error;
      progress(error.message);
      return null;
    }
  };
  const compared: Row[] = [];
  for (const work of smoke ? SOME_ROWS_WORK : ROWS_WORK) {
    progress(work.name);
    for (const side of warmUpSeconds > 0 ? [few, many] : []) await once(side, work, warmUpSeconds / 3);
    const turns: [Turn, Turn][] = [];
    for (let turn = 0; turn < rounds; turn++)
      turns.push([await once(few, work, load.seconds), await once(many, work, load.seconds)]);
    compared.push(rowOf(work, turns));
  }
  return { compared, sizes: await sizesOf(many.sql, rows.many) };
}

/** Ratios compare measurements of the same turn. */
function rowOf({ name, goal }: RowsWork, turns: readonly [Turn, Turn][]): Row {
  const good = turns.flatMap(([few, many]) => (few && many ? [{ few, many }] : []));
  const refused = turns.some(([few]) => few === null) ? 'both' : 'many rows';
  if (good.length < turns.length) return { work: name, goal, refused };
  const figure = (read: (one: Measured) => number) => ({
    few: round(medianOf(good, ({ few }) => read(few))),
    many: round(medianOf(good, ({ many }) => read(many))),
    ratio: Number(medianOf(good, ({ few, many }) => read(many) / read(few)).toFixed(2)),
  });
  const service = figure(({ serviceCpu }) => serviceCpu);
  const database = figure(({ databaseCpu }) => databaseCpu);
  const p99 = figure((one) => one.p99);
  return {
    work: name,
    goal,
    'service µs': service.few,
    'many, service µs': service.many,
    'ratio of service': service.ratio,
    'database µs': database.few,
    'many, database µs': database.many,
    'ratio of database': database.ratio,
    'p99 ms': p99.few,
    'many, p99 ms': p99.many,
    'ratio of p99': p99.ratio,
  };
}
