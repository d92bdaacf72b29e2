import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

/** How the statements of exports begin; pg_stat_activity keeps no more of them. */
const OF_GRANTS = 'select id, agent_id as "agentId", principal_id%';
const OF_ENTRIES = 'select id, developer_id as "developerId", agent_id%';

/** Tests of exports of so many grants and audit entries of one developer. */
export function testLargeExports(rows: number): void {
  let service: TestService;
  let party: Party;
  beforeAll(async () => {
    service = await startService();
    party = await newParty(service);
    const { sql } = service.database;
    await sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at, root_grant_id,
      delegation_depth)
    select 'grnt_' || n, ${party.developerId}, ${party.agentId}, 'user_' || n % 1000, '{calendar:read,mail:send}', 'active',
      now() - n * interval '1 ms', now() + interval '1 day', 'grnt_' || n, 0 from generate_series(1, ${rows}::int) n`;
    await sql`insert into audit_entries (id, developer_id, agent_id, agent_did, grant_id, principal_id, action, status, metadata,
      created_at, hash, prev_hash)
    select 'alog_' || n, ${party.developerId}, ${party.agentId}, 'did', 'grnt_1', 'user', 'a',
      case when n % 10 = 0 then 'failure' else 'success' end, '{"k": "v"}', now() - (${rows}::int - n) * interval '1 ms',
      'h' || n, 'h' || n - 1 from generate_series(1, ${rows}::int) n`;
    await sql`vacuum analyze grants, audit_entries`;
  });
  afterAll(() => service.stop());

  const residentMiB = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${service.process.pid}/status`, 'utf8'))?.[1]) / 1024;

  /** Opens a request and reads nothing of its answer. */
  const open = (path: string) =>
    new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
      const headers = { authorization: `Bearer ${party.key}` };
      get(`${service.url}/v1/compliance/${path}`, { headers, agent: false }, resolve).on('error', reject);
    });

  /** Sessions of the service that do something for this developer's exports. */
  async function working(): Promise<number> {
    const [row] = await service.database.sql`select count(*)::int as n from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'
      and (query like ${OF_GRANTS} or query like ${OF_ENTRIES})`;
    return Number(row?.['n']);
  }
  /** For how many seconds no statement of an export of grants has begun. */
  const quietFor = async (): Promise<number> => {
    const [row] = await service.database.sql`
    select extract(epoch from clock_timestamp() - max(query_start))::float as n from pg_stat_activity
    where datname = current_database() and query like ${OF_GRANTS} and pid <> pg_backend_pid()`;
    return Number(row?.['n']);
  };
  const requests = async (status_code: string) =>
    (await service.scrape()).value('grantex_http_request_duration_seconds_count', {
      method: 'GET',
      route: '/v1/compliance/export/grants',
      status_code,
    });

  test(`exports of ${rows} rows cost bounded memory, and have every row once`, async () => {
    await service.request('GET', '/v1/compliance/summary', { key: party.key });
    const before = residentMiB();
    let most = before;
    for (const [path, mark] of [
      ['export/grants', '"grantId":'],
      ['export/audit', '"entryId":'],
    ] as const) {
      let found = 0;
      let tail = '';
      for await (const chunk of await open(path)) {
        const text = tail + String(chunk);
        found += text.split(mark).length - 1;
        // A mark may be cut in two.
        tail = text.slice(-mark.length + 1);
        most = Math.max(most, residentMiB());
      }
      expect(found).toBe(rows);
      expect(tail.endsWith('}')).toBe(true);
    }
    expect(most - before).toBeLessThan(150);
  });

  test('the numbers of the summary are those of the rows', async () => {
    const { body } = await service.request('GET', '/v1/compliance/summary', { key: party.key });
    expect(body).toMatchObject({
      grants: { total: rows, active: rows, revoked: 0, expired: 0 },
      auditEntries: { total: rows, success: rows * 0.9, failure: rows / 10, blocked: 0 },
    });
  });

  test('a caller that does not read holds no connection to the database; one that leaves ends the work', async () => {
    const answer = await open('export/grants');
    await new Promise((resolve) => answer.once('readable', resolve));
    // The buffers of the sockets are full after a while.
    await waitFor(async () => ((await quietFor()) > 1 && (await working()) === 0) || undefined);
    // Two at once, and no third one.
    const second = await open('export/audit');
    const third = await service.request('GET', '/v1/compliance/summary', { key: party.key });
    expect([third.status, third.body.code, third.headers.get('retry-after')]).toEqual([
      429,
      'RATE_LIMITED',
      '1',
    ]);
    expect(third.body.message).toBe('Rate limit exceeded, retry in 1 seconds');
    answer.destroy();
    second.destroy();
    // The places are free again, and nothing goes on.
    await waitFor(
      async () =>
        (await service.request('GET', '/v1/compliance/summary', { key: party.key })).status === 200 ||
        undefined,
    );
    await waitFor(async () => (await working()) === 0 || undefined);
    await waitFor(async () => (await requests('499')) === 1 || undefined);
    expect(service.logs.filter(({ msg }) => msg === 'request.failed')).toEqual([]);
  });

  test('a failure in the middle cuts the connection, is counted as 500, and is told in the log', async () => {
    const answer = await open('export/grants');
    await new Promise((resolve) => answer.once('readable', resolve));
    await service.database.sql`alter table grants rename to away`;
    const read = async () => {
      for await (const _ of answer);
    };
    await expect(read()).rejects.toThrow('aborted');
    await service.database.sql`alter table away rename to grants`;
    const [line] = await service.logged('request.failed');
    expect(line).toMatchObject({ method: 'GET', route: '/v1/compliance/export/grants' });
    await waitFor(async () => (await requests('500')) === 1 || undefined);
  });
}
