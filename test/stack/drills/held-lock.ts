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
  const parties = await Promise.all(
    [1, 2].map(async () => {
      const party = await newParty(service);
      return { ...party, grantId: (await party.grant()).grantId };
    }),
  );
  const begin = async () => {
    const session = await service.database.sql.reserve();
    await session.unsafe('begin; lock table audit_heads');
    const stops = parties.flatMap(({ key, agentId, grantId }) =>
      Array.from({ length: CALLERS }, () =>
        keepOn(50, async () => {
          const body = { agentId, grantId, action: 'calendar.read' };
          const { status } = await service.request('POST', '/v1/audit/log', { key, body });
          if (![201, 500, 503].includes(status)) throw new Error(`/v1/audit/log: ${status}`);
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
    { DatabaseStatementsEnded: {}, DatabaseConnectionsWaiting: {} },
    begin,
  );
}
