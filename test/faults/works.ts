import type postgres from 'postgres';
import { newParty, type Party } from '../support/flow.ts';
import { type TestService, waitFor } from '../support/service.ts';
import { hook } from '../webhooks/hooks.ts';
import { answer, startReceiver } from '../webhooks/receiver.ts';
import { Client, type Reply } from './client.ts';

/** A developer's prepared work that needs a lock. */
export interface Ready {
  readonly party: Party;
  /** Takes the lock that the work needs. */
  lock(tx: postgres.TransactionSql): Promise<unknown>;
  /** Requests the work. @param marker identifies this request in the stored result, if the work stores one */
  ask(client: Client, marker: string): Promise<Reply>;
  /** The number of stored results with this marker; null when the work stores no marker. */
  stored(sql: postgres.Sql, marker: string): Promise<number> | null;
}

/** A type of transaction or statement of the service. */
export interface Work {
  readonly name: string;
  /** The statuses that mean the work is done, by this request or an earlier one. */
  readonly done: readonly number[];
  /** The work is one statement. It commits as soon as the lock is free, and holds no lock afterwards. */
  readonly oneStatement?: true;
  prepare(service: TestService): Promise<Ready>;
}

const count = async (rows: PromiseLike<readonly postgres.Row[]>): Promise<number> =>
  Number((await rows)[0]?.['n'] ?? Number.NaN);
const NOTHING_LEFT = () => null;
const HOOK_URL = 'http://127.0.0.1:9/hook';
/** The same lock as in src/db/take-turn.ts. */
const turn = (tx: postgres.TransactionSql, name: string) =>
  tx`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`;

async function auditReady(
  service: TestService,
  lock: (tx: postgres.TransactionSql, developerId: string) => Promise<unknown>,
): Promise<Ready> {
  const party = await newParty(service, 'sandbox');
  const { key, agentId, developerId } = party;
  const { grantId } = await party.grant();
  const ask = (client: Client, action: string) =>
    client.send({ method: 'POST', path: '/v1/audit/log', key, body: { agentId, grantId, action } });
  const first = new Client(service.url);
  await ask(first, 'first');
  first.close();
  return {
    party,
    lock: (tx) => lock(tx, developerId),
    ask,
    stored: (sql, action) =>
      count(
        sql`select count(*)::int as n from audit_entries where developer_id = ${developerId} and action = ${action}`,
      ),
  };
}

export const AUDIT_ENTRY: Work = {
  name: 'audit entry, head row',
  done: [201],
  prepare: (service) =>
    auditReady(
      service,
      async (tx, developerId) => tx`select from audit_heads where developer_id = ${developerId} for update`,
    ),
};
export const AUDIT_TABLE: Work = {
  name: 'audit entry, whole table of heads',
  done: [201],
  prepare: (service) =>
    auditReady(service, async (tx) => tx`lock table audit_heads in access exclusive mode`),
};
export const REVOCATION: Work = {
  name: 'revocation, root of the grant',
  done: [204, 404],
  async prepare(service) {
    const party = await newParty(service, 'sandbox');
    const { grantId } = await party.grant();
    return {
      party,
      lock: async (tx) => tx`select from grants where id = ${grantId} for update`,
      ask: (client) => client.send({ method: 'DELETE', path: `/v1/grants/${grantId}`, key: party.key }),
      stored: NOTHING_LEFT,
    };
  },
};
export const DELEGATION: Work = {
  name: 'delegation, root of the grant',
  done: [201],
  oneStatement: true,
  async prepare(service) {
    const party = await newParty(service, 'sandbox');
    const { key, agentId } = party;
    const { grantId, grantToken } = await party.grant();
    const body = { parentGrantToken: grantToken, subAgentId: agentId, scopes: ['calendar:read'] };
    return {
      party,
      lock: async (tx) => tx`select from grants where id = ${grantId} for update`,
      ask: (client) => client.send({ method: 'POST', path: '/v1/grants/delegate', key, body }),
      stored: NOTHING_LEFT,
    };
  },
};
export const AGENT_REMOVAL: Work = {
  name: 'removal of an agent',
  done: [204, 404],
  async prepare(service) {
    const party = await newParty(service, 'sandbox');
    const agentId = await party.newAgent();
    await party.grant({ agentId });
    return {
      party,
      lock: async (tx) => tx`select from agents where id = ${agentId} for update`,
      ask: (client) => client.send({ method: 'DELETE', path: `/v1/agents/${agentId}`, key: party.key }),
      stored: NOTHING_LEFT,
    };
  },
};
export const WEBHOOK_REMOVAL: Work = {
  name: 'removal of a webhook',
  done: [204, 404],
  async prepare(service) {
    const party = await newParty(service, 'sandbox');
    const { id } = await hook(service, party, HOOK_URL, ['token.issued']);
    return {
      party,
      lock: async (tx) => tx`select from webhooks where id = ${id} for update`,
      ask: (client) => client.send({ method: 'DELETE', path: `/v1/webhooks/${id}`, key: party.key }),
      stored: NOTHING_LEFT,
    };
  },
};
export const WEBHOOK_REGISTRATION: Work = {
  name: 'registration of a webhook',
  done: [201],
  async prepare(service) {
    const party = await newParty(service, 'sandbox');
    const { key, developerId } = party;
    const url = (marker: string) => `${HOOK_URL}/${marker}`;
    return {
      party,
      lock: (tx) => turn(tx, `webhooks of ${developerId}`),
      ask: (client, marker) =>
        client.send({
          method: 'POST',
          path: '/v1/webhooks',
          key,
          body: { url: url(marker), events: ['token.issued'] },
        }),
      stored: (sql, marker) =>
        count(
          sql`select count(*)::int as n from webhooks where developer_id = ${developerId} and url = ${url(marker)}`,
        ),
    };
  },
};
export const POLICY: Work = {
  name: 'new policy',
  done: [201],
  async prepare(service) {
    const party = await newParty(service, 'sandbox');
    const { key, developerId } = party;
    return {
      party,
      lock: (tx) => turn(tx, `policies of ${developerId}`),
      ask: (client, name) =>
        client.send({ method: 'POST', path: '/v1/policies', key, body: { name, effect: 'allow' } }),
      stored: (sql, name) =>
        count(
          sql`select count(*)::int as n from policies where developer_id = ${developerId} and name = ${name}`,
        ),
    };
  },
};

/** Work whose lock another session may hold for long. */
export const LOCKED: readonly Work[] = [AUDIT_ENTRY, AUDIT_TABLE, REVOCATION, WEBHOOK_REMOVAL];
/** Work during which a replica freezes in the gate: a chain of entries, several rows with a token, one row. */
export const FREEZABLE: readonly Work[] = [AUDIT_ENTRY, DELEGATION, WEBHOOK_REGISTRATION];
/** What is added in the nightly table. */
export const FREEZABLE_AT_NIGHT: readonly Work[] = [REVOCATION, AGENT_REMOVAL, WEBHOOK_REMOVAL, POLICY];

export interface HeldLock {
  release(): Promise<void>;
}

/** Resolves when the lock is held. */
export async function hold(
  sql: postgres.Sql,
  lock: (tx: postgres.TransactionSql) => Promise<unknown>,
): Promise<HeldLock> {
  const held = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  const holding = sql.begin(async (tx) => {
    await lock(tx);
    locked.resolve();
    await held.promise;
  });
  await Promise.race([locked.promise, holding]);
  return {
    async release() {
      held.resolve();
      await holding;
    },
  };
}

/** Resolves when at least this many sessions of the database wait for a lock. */
export const waitingForLock = (sql: postgres.Sql, least = 1): Promise<true> =>
  waitFor(async () => {
    const waiting = await count(sql`select count(*)::int as n from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`);
    return waiting >= least || undefined;
  });

/** Registers a webhook whose receiver answers only when the test tells it to. */
export async function slowHook(service: TestService, party: Party) {
  const asked = Promise.withResolvers<() => void>();
  const receiver = await startReceiver((response, index, request) => {
    if (index > 0) answer(204)(response, index, request);
    else asked.resolve(() => void response.writeHead(204).end());
  });
  return {
    receiver,
    hook: await hook(service, party, receiver.url, ['grant.created']),
    asked: asked.promise,
  };
}
