import { int, text } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { NamedAgent } from '../telemetry/agent-info.ts';

const named = query({
  operation: 'SELECT',
  collection: 'agent_series',
  name: 'agents.named_series',
  text: `select agents.id as "agentId", agents.name, agents.developer_id as "developerId"
    from agent_series join agents on agents.id = agent_series.agent_id
    where agent_series.position <= $limit::int and agents.removed_at is null`,
  params: { limit: int },
  row: { agentId: text, name: text, developerId: text },
});

/** The agents with a position up to `limit`, without deleted ones. */
export const agentsWithSeries = (db: Queryable, limit: number): Promise<NamedAgent[]> =>
  db.all(named, { limit });
