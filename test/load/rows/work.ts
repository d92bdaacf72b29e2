import { randomInt, randomUUID } from 'node:crypto';
import type { Request } from 'autocannon';
import type postgres from 'postgres';
import { agentIdOf, BUSIEST_PRINCIPAL, developerIdOf, keyOf } from '../fill/shape.ts';
import { scenarioCalled, WORK } from '../options.ts';
import type { Tenants } from '../tenants.ts';

/** A database of the comparison, and the developers whose tokens are verified and refreshed there. */
export interface Side {
  readonly sql: postgres.Sql;
  readonly tenants: Tenants;
}

/** Work that is done on a small and on a large database. */
export interface RowsWork {
  readonly name: string;
  readonly steps: number;
  /** The ratio of CPU times and of p99 that should not be exceeded. */
  readonly goal: number;
  readonly connections: number;
  /** This many requests instead of a time. */
  readonly amount?: number;
  requests(side: Side): Request[] | Promise<Request[]>;
}

/** A developer of the filled database, and how the table names it. */
interface Measured {
  readonly developer: number;
  readonly named: string;
}
/** It has as many rows in each database. */
const STEADY: Measured = { developer: 0, named: '2,000 grants' };
const LARGEST: Measured = { developer: 1, named: 'the largest' };
/** It is large too. Agents of it are deleted, so that the lists of the others stay as they are. */
const DELETING = 2;
const DELETED_AGENTS = 40;
const GRANTS_OF_DELETED_AGENT = 5;

const bearer = (developer: number) => ({ authorization: `Bearer ${keyOf(developer)}` });

const lists = ({ developer, named }: Measured): RowsWork[] =>
  Object.entries({
    grants: '/v1/grants',
    'grants, status': '/v1/grants?status=active',
    'grants, principal': `/v1/grants?principalId=${BUSIEST_PRINCIPAL}`,
    'audit entries': '/v1/audit/entries',
    agents: '/v1/agents',
  }).map(([list, path]) => ({
    name: `${list} of ${named}`,
    steps: 1,
    goal: 1.5,
    connections: 4,
    requests: () => [{ method: 'GET', path, headers: bearer(developer) }],
  }));

const look = ({ developer, named }: Measured): RowsWork => ({
  name: `anomaly look of ${named}`,
  steps: 1,
  goal: 1.1,
  connections: 1,
  requests: () => [{ method: 'POST', path: '/v1/anomalies/detect', headers: bearer(developer) }],
});

const deletion: RowsWork = {
  name: `delete an agent of ${GRANTS_OF_DELETED_AGENT} grants`,
  steps: 1,
  goal: 1.1,
  connections: 1,
  amount: DELETED_AGENTS,
  async requests({ sql }) {
    // The load generator may prepare a request that it never sends.
    const ids = await makeAgents(sql, DELETED_AGENTS + 10);
    return [
      {
        method: 'DELETE',
        headers: bearer(DELETING),
        setupRequest: (request) => ({ ...request, path: `/v1/agents/${ids.pop()}` }),
      },
    ];
  },
};

const scrape: RowsWork = {
  name: 'scrape',
  steps: 1,
  goal: 1.1,
  connections: 1,
  requests: ({ tenants }) => scenarioCalled('scrape').requests(tenants),
};

const asClientsWait = WORK.map(
  ({ name, steps, requests }): RowsWork => ({
    name,
    steps,
    goal: 1.1,
    connections: 16,
    requests: ({ tenants }) => requests(tenants),
  }),
);

/** One of each kind, for a short run. */
export const SOME_ROWS_WORK: readonly RowsWork[] = [
  ...asClientsWait.slice(0, 1),
  ...lists(STEADY).slice(0, 1),
  { ...deletion, amount: 4 },
  scrape,
  look(STEADY),
];

/** What is compared, in the order of the table. */
export const ROWS_WORK: readonly RowsWork[] = [
  ...asClientsWait,
  ...lists(STEADY),
  ...lists(LARGEST),
  deletion,
  scrape,
  look(STEADY),
  look(LARGEST),
];

/** Agents with some grants each, which were given just now. @returns their ids */
async function makeAgents(sql: postgres.Sql, count: number): Promise<string[]> {
  const owner = developerIdOf(DELETING);
  const run = randomUUID();
  // An id of an agent that was deleted must not come again.
  const first = randomInt(1_000_000, 1_000_000_000);
  const ids = Array.from({ length: count }, (_, i) => agentIdOf(DELETING, first + i));
  await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    select id, ${owner}, 'Small', '', '{}', 'active', now(), now() from unnest(${ids}::text[]) id`;
  await sql`with given as (
      insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at, root_grant_id,
        delegation_depth)
      select id, ${owner}, agent_id, 'user_' || n, '{calendar:read}', 'active', now(), now() + interval '30 days', id, 0
      from unnest(${ids}::text[]) agent_id, generate_series(1, ${GRANTS_OF_DELETED_AGENT}::int) n,
        lateral (select 'grnt_' || ${run}::text || agent_id || n as id) named
      returning id, agent_id, expires_at),
    refreshed as (
      insert into refresh_tokens (hash, grant_id, agent_id, issued_at)
      select sha256(convert_to(id, 'UTF8')), id, agent_id, now() from given)
    insert into tokens (jti, grant_id, kid, expires_at) select 'tok_' || id, id, 'filled', expires_at from given`;
  return ids;
}
