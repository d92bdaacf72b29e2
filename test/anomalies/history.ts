import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { Finding } from '../../src/anomalies/finding.ts';
import { type DetectionScope, findAnomalies } from '../../src/anomalies/rules-store.ts';
import { type Config, loadConfig } from '../../src/config.ts';
import type { Database } from '../../src/db/client.ts';
import { sha256 } from '../../src/hash.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openTestDatabase } from '../support/open-database.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
/** Half past noon: 24 hours before it hold one whole night. */
export const NOW = Date.parse('2026-03-10T12:30:00Z');
const CONFIG = loadConfig({});

export let database: TestDatabase;
export let db: Database;

/** Gives the test file that calls this a database with two agents. Before each test they have done nothing. */
export function withTwoAgents(): void {
  beforeAll(async () => {
    database = await createTestDatabase();
    db = await openTestDatabase(database);
    const { sql } = database;
    await sql`insert into developers (id, name, mode, api_key_hash, created_at)
    values ('dev_1', 'D', 'live', ${sha256('1')}, now()), ('dev_2', 'D', 'live', ${sha256('2')}, now())`;
    await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    values ('ag_1', 'dev_1', 'A', '', '{}', 'active', now(), now()),
      ('ag_2', 'dev_2', 'A', '', '{}', 'active', now(), now())`;
  });
  afterAll(async () => {
    await db.close(1000);
    await database.drop();
  });
  beforeEach(async () => {
    await database.sql`truncate grants, refresh_tokens, tokens, authorization_requests, audit_entries, failed_exchanges,
    anomalies`;
  });
}

interface Asked {
  readonly scope?: DetectionScope;
  readonly config?: Partial<Config>;
  readonly at?: number;
}
/** What is found of one type; single facts are looked at from an hour ago on. */
export async function found(type: Finding['type'], { scope = null, config = {}, at = NOW }: Asked = {}) {
  const time = { now: new Date(at), since: new Date(at - HOUR) };
  return (await findAnomalies(db, { ...CONFIG, ...config }, scope, time)).filter((one) => one.type === type);
}

let made = 0;
interface GrantFields {
  readonly agent?: string;
  readonly principal?: string;
  readonly scopes?: readonly string[];
  readonly depth?: number;
}
export async function grantAt(at: number, fields: GrantFields = {}): Promise<string> {
  const { agent = 'ag_1', principal = 'user_1', scopes = ['a'], depth = 0 } = fields;
  const id = `grnt_${made++}`;
  const developer = agent === 'ag_1' ? 'dev_1' : 'dev_2';
  await database.sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
      root_grant_id, delegation_depth)
    values (${id}, ${developer}, ${agent}, ${principal}, ${[...scopes]}, 'active', ${new Date(at)},
      ${new Date(at + 48 * HOUR)}, ${id}, ${depth})`;
  return id;
}
/** So many tokens of one grant, all at one time. */
export async function tokensAt(at: number, count: number, agent = 'ag_1'): Promise<void> {
  const grant = await grantAt(NOW - 1000 * HOUR, { agent });
  await database.sql`insert into refresh_tokens (hash, grant_id, agent_id, issued_at)
    select sha256(convert_to(${grant} || n, 'UTF8')), ${grant}, ${agent}, ${new Date(at)} from generate_series(1, ${count}) n`;
}
export async function requestAt(at: number, scopes: readonly string[], fields: { exchanged?: boolean } = {}) {
  await database.sql`insert into authorization_requests (id, developer_id, agent_id, principal_id, scopes, grant_seconds,
      status, created_at, expires_at, exchanged_at)
    values (${`areq_${made++}`}, 'dev_1', 'ag_1', 'user_1', ${[...scopes]}, 60, 'approved', ${new Date(at)},
      ${new Date(at + 10 * MINUTE)}, ${fields.exchanged ? new Date(at) : null})`;
}
export async function entriesAt(at: number, statuses: readonly string[]) {
  for (const status of statuses) {
    const id = made++;
    await database.sql`insert into audit_entries (id, developer_id, agent_id, agent_did, grant_id, principal_id, action,
        status, metadata, created_at, hash, prev_hash)
      values (${`alog_${id}`}, 'dev_1', 'ag_1', 'did', 'g', 'u', 'act', ${status}, '{}', ${new Date(at)}, ${`h${id}`},
        ${`h${id - 1}`})`;
  }
}
export const times = (count: number, status: string) => Array<string>(count).fill(status);
export const who = { developerId: 'dev_1', agentId: 'ag_1' };
