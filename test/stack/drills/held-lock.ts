import { newParty } from '../../support/flow.ts';
import type { TestService } from '../../support/service.ts';
import { type Fault, faultBehind, keepOn } from './faults.ts';

/**
 * The callers of each of two developers. Together they may use the whole pool: some wait for the lock, others for a
 * connection.
 */
const CALLERS = 12;

/** A session locks a table and keeps the lock, while two developers continue their work. */
export async function prepareHeldLock(service: TestService): Promise<readonly Fault[]> {
  const parties = await Promise.all([newParty(service), newParty(service)]);
  const begin = async () => {
    const session = await service.database.sql.reserve();
    await session.unsafe('begin; lock table agents in share mode');
    const stops = parties.flatMap(({ key, agentId }) =>
      Array.from({ length: CALLERS }, () =>
        keepOn(50, async () => {
          const body = { name: 'Calendar agent' };
          const { status } = await service.request('PATCH', `/v1/agents/${agentId}`, { key, body });
          if (![200, 500, 503].includes(status)) throw new Error(`PATCH /v1/agents: ${status}`);
        }),
      ),
    );
    return async () => {
      await session.unsafe('rollback');
      session.release();
      await Promise.all(stops.map((stop) => stop()));
    };
  };
  return faultBehind(
    'a lock that somebody holds',
    { DatabaseStatementsEnded: {}, DatabaseConnectionsWaiting: {}, DatabaseErrors: {} },
    begin,
  );
}

/** A session locks what the numbering of the revocation feed needs. Grants are still revoked, and no verifier hears of it. */
export async function prepareHeldFeed(service: TestService): Promise<Fault> {
  const party = await newParty(service);
  const { grantId } = await party.grant();
  return {
    name: 'a held revocation feed',
    alert: 'RevocationFeedLagging',
    labels: {},
    severities: ['warning'],
    async begin() {
      const session = await service.database.sql.reserve();
      await session.unsafe('begin; lock table feed_positions in access exclusive mode');
      const { status } = await service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key });
      if (status !== 204) throw new Error(`DELETE /v1/grants: ${status}`);
      return async () => {
        await session.unsafe('rollback');
        session.release();
      };
    },
  };
}
