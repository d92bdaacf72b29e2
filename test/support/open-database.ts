import { type Database, openDatabase } from '../../src/db/client.ts';
import { reachableUrl } from '../../src/db/pooler.ts';
import type { TestDatabase } from './database.ts';

/** Opens a test's database as the service does, for calls of a store without a service around it. No telemetry hears of it. */
export const openTestDatabase = async ({ url }: TestDatabase): Promise<Database> =>
  openDatabase({
    url: await reachableUrl(url),
    poolMax: 2,
    telemetry: { statement: (_statement, _links, run) => run(), observePool: () => () => undefined },
    onConnectionError: () => undefined,
  });
