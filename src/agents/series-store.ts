import type { Connections } from '../db/client.ts';
import { int, text, texts } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { takeTurn } from '../db/take-turn.ts';

/** The position of an agent among all that were ever counted; 1 for the first. */
export interface SeriesPosition {
  readonly agentId: string;
  readonly position: number;
}

const row = { agentId: text, position: int };

const list = query({
  operation: 'SELECT',
  collection: 'agent_series',
  name: 'agents.series_positions',
  text: 'select agent_id as "agentId", position from agent_series',
  params: {},
  row,
});
const take = query({
  operation: 'INSERT',
  collection: 'agent_series',
  name: 'agents.take_series_positions',
  text: `with asked as (
      select id, asked_as from unnest($ids::text[]) with ordinality as one (id, asked_as)),
    free as (
      select id, (select coalesce(max(position), 0) from agent_series) + row_number() over (order by asked_as) as position
      from asked where not exists (select from agent_series where agent_id = id)),
    taken as (
      insert into agent_series (agent_id, position) select id, position from free where position <= $positions::int
      returning agent_id, position)
    select agent_id as "agentId", position from agent_series where agent_id = any($ids::text[])
    union all select agent_id, position from taken`,
  params: { ids: texts, positions: int },
  row,
});

/** Every position that is taken. */
export const seriesPositions = (db: Queryable): Promise<SeriesPosition[]> => db.all(list, {});

/**
 * The positions of these agents. One that has none takes the next, as long as there are at most `positions` of them. Replicas
 * wait for each other, so that there are no two orders.
 */
export const takeSeriesPositions = (
  db: Pick<Connections, 'transaction'>,
  asked: { ids: readonly string[]; positions: number },
): Promise<SeriesPosition[]> =>
  db.transaction(async (tx) => {
    await takeTurn(tx, 'series of agents');
    return tx.all(take, asked);
  });
