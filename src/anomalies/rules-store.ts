import type { Config } from '../config.ts';
import {
  type Columns,
  int,
  json,
  orNull,
  text,
  texts,
  timeOfDay,
  timestamp,
  type ValuesOf,
} from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { AnomalyType } from '../label-values.ts';
import type { Finding } from './finding.ts';

/** The agents that a detection covers: some agents, all agents of some developers, or (null) all agents. */
export type DetectionScope =
  | { readonly agents: readonly string[] }
  | { readonly developers: readonly string[] }
  | null;

/**
 * The time of a detection, and the earliest time of the single facts it reads. Rules about windows define their own
 * start.
 */
export interface DetectionTime {
  readonly now: Date;
  readonly since: Date;
}

interface Rule<P extends Columns = Columns> {
  readonly type: AnomalyType;
  /** The tables that `text` reads besides `agent (id, developer_id)`. */
  readonly ctes?: string;
  /** Selects findings: "developerId", "agentId", "principalId", at, metadata. */
  readonly text: string;
  readonly params: P;
  readonly values: (config: Config, time: DetectionTime) => ValuesOf<P>;
}

/** Ties the types of a rule's parameters and values together. */
const rule = <P extends Columns>(definition: Rule<P>): Rule<P> => definition;

const WHO = (of: string) => `${of}.developer_id as "developerId", ${of}.agent_id as "agentId"`;
const AGENT = `agent.developer_id as "developerId", agent.id as "agentId", null::text as "principalId"`;

/**
 * A lateral join `acknowledged (at)`: the time at which an anomaly of a rule about a window was last acknowledged.
 * Someone has dealt with everything before that time, so it does not count towards another anomaly.
 */
const lastAcknowledged = (type: AnomalyType) => `cross join lateral (
      select coalesce(max(acknowledged_at), '-infinity') as at from anomalies
      where developer_id = agent.developer_id and type = '${type}' and agent_id = agent.id
        and coalesce(principal_id, '') = '' and acknowledged_at is not null) acknowledged`;

/** Each token is issued together with a refresh token. The refresh token's row has the agent and the time. */
const rateSpike = rule({
  type: 'rate_spike',
  text: `select ${AGENT}, counted.last as at, json_build_object('issued', counted.recent,
      'baseline', round(counted.baseline, 2), 'windowMinutes', $windowMinutes::int) as metadata
    from agent ${lastAcknowledged('rate_spike')} cross join lateral (
      select count(*) filter (where issued_at > $now::timestamptz - make_interval(mins => $windowMinutes::int)
          and issued_at > acknowledged.at) as recent,
        (count(*) filter (where issued_at <= $now::timestamptz - make_interval(mins => $windowMinutes::int)))::numeric * $windowMinutes::int / ($baselineHours::int * 60)
          as baseline, max(issued_at) as last
      from refresh_tokens where agent_id = agent.id and issued_at <= $now::timestamptz
        and issued_at > $now::timestamptz - make_interval(mins => $windowMinutes::int, hours => $baselineHours::int)) counted
    where counted.recent > $over::int and counted.recent > counted.baseline * $factor::int`,
  params: { now: timestamp, over: int, factor: int, windowMinutes: int, baselineHours: int },
  values: (config, { now }) => ({
    now,
    over: config.anomalyRateOver,
    factor: config.anomalyRateFactor,
    windowMinutes: config.anomalyRateWindowMinutes,
    baselineHours: config.anomalyRateBaselineHours,
  }),
});

const highFailureRate = rule({
  type: 'high_failure_rate',
  // A code lives ten minutes, and so does a pending request. A code that was exchanged since then belongs to a request
  // made at most an hour earlier.
  // The planner expects one entry of an agent, and then finds its index by time no better than the one by number, which
  // reads all entries that the agent ever had. The order makes it the better one.
  text: `select ${AGENT}, greatest(entries.last, refused.last) as at, json_build_object(
      'failed', entries.failed + refused.total, 'total', entries.total + exchanged.total + refused.total,
      'windowHours', $windowHours::int) as metadata
    from agent ${lastAcknowledged('high_failure_rate')} cross join lateral (
      select count(*) as total, count(*) filter (where status <> 'success') as failed,
        max(created_at) filter (where status <> 'success') as last
      from (select status, created_at from audit_entries
        where developer_id = agent.developer_id and agent_id = agent.id
          and created_at > $now::timestamptz - make_interval(hours => $windowHours::int) and created_at <= $now
          and created_at > acknowledged.at
        order by created_at desc) entry) entries
    cross join lateral (
      select count(*) as total from authorization_requests where agent_id = agent.id
        and created_at > $now::timestamptz - make_interval(hours => $windowHours::int + 1)
        and exchanged_at > $now::timestamptz - make_interval(hours => $windowHours::int) and exchanged_at <= $now
        and exchanged_at > acknowledged.at) exchanged
    cross join lateral (
      select coalesce(sum(failed_exchanges.total), 0) as total, max(last_at) as last from failed_exchanges
      where agent_id = agent.id and last_at > $now::timestamptz - make_interval(hours => $windowHours::int)
        and minute > $now::timestamptz - make_interval(hours => $windowHours::int, mins => 1) and minute <= $now
        and minute > date_trunc('minute', acknowledged.at)) refused
    where entries.total + exchanged.total + refused.total >= $entries::int
      and (entries.failed + refused.total) * 100 > (entries.total + exchanged.total + refused.total) * $percent::int`,
  params: { now: timestamp, entries: int, percent: int, windowHours: int },
  values: (config, { now }) => ({
    now,
    entries: config.anomalyFailureEntries,
    percent: config.anomalyFailurePercent,
    windowHours: config.anomalyFailureWindowHours,
  }),
});

/** Tests whether a time of day lies within the hours. Hours that do not end after they begin cross midnight. */
const OFF_HOURS = `case when $start::time < $end::time
          then (issued_at at time zone 'UTC')::time >= $start::time and (issued_at at time zone 'UTC')::time < $end::time
          else (issued_at at time zone 'UTC')::time >= $start::time or (issued_at at time zone 'UTC')::time < $end::time end`;
const offHoursActivity = rule({
  type: 'off_hours_activity',
  text: `select ${AGENT}, counted.last as at, json_build_object('issued', counted.issued,
      'start', to_char($start::time, 'HH24:MI'), 'end', to_char($end::time, 'HH24:MI')) as metadata
    from agent ${lastAcknowledged('off_hours_activity')} cross join lateral (
      select count(*) as issued, max(issued_at) as last from refresh_tokens
      where agent_id = agent.id and issued_at <= $now::timestamptz
        and issued_at > $now::timestamptz - make_interval(hours => $windowHours::int) and issued_at > acknowledged.at and ${OFF_HOURS}) counted
    where counted.issued > $over::int`,
  params: { now: timestamp, over: int, start: timeOfDay, end: timeOfDay, windowHours: int },
  values: (config, { now }) => ({
    now,
    over: config.anomalyOffHoursOver,
    start: config.anomalyOffHoursStart,
    end: config.anomalyOffHoursEnd,
    windowHours: config.anomalyOffHoursWindowHours,
  }),
});

const newPrincipal = rule({
  type: 'new_principal',
  text: `select ${WHO('given')}, given.principal_id as "principalId", min(given.issued_at) as at,
      json_build_object('grantId', min(given.id)) as metadata
    from agent join grants given on given.developer_id = agent.developer_id and given.agent_id = agent.id
    where given.issued_at > $since::timestamptz and given.issued_at <= $now::timestamptz and not exists (
      select from grants earlier where earlier.agent_id = given.agent_id and earlier.principal_id = given.principal_id
        and earlier.issued_at < given.issued_at)
    group by given.developer_id, given.agent_id, given.principal_id`,
  params: { now: timestamp, since: timestamp },
  values: (_config, time) => time,
});

/** Callers choose freely which scopes they ask for. The rule reads and reports at most this many for each agent. */
const MOST_REQUESTS = 1000;
const MOST_SCOPES = 20;
/** Most scopes appear in the recent grants. Only for the others does the rule read all grants of the agent, once. */
const unusualScopeAccess = rule({
  type: 'unusual_scope_access',
  ctes: `requested as materialized (
      select agent.developer_id, agent.id as agent_id, request.principal_id, request.created_at as at, scope
      from agent cross join lateral (
          select principal_id, created_at, scopes from authorization_requests
          where agent_id = agent.id and created_at > $since::timestamptz and created_at <= $now::timestamptz
          order by created_at desc limit ${MOST_REQUESTS}) request
        cross join unnest(request.scopes) scope),
    recent as materialized (
      select asking.agent_id, scope, min(given.issued_at) as since
      from (select distinct agent_id, developer_id from requested) asking cross join lateral (
          select scopes, issued_at from grants
          where grants.developer_id = asking.developer_id and grants.agent_id = asking.agent_id
          order by issued_at desc, id desc limit 1000) given
        cross join unnest(given.scopes) scope
      group by asking.agent_id, scope),
    odd as materialized (
      select requested.* from requested left join recent using (agent_id, scope)
      where recent.since is null or recent.since >= requested.at),
    known as materialized (
      select asking.agent_id, scope, min(given.issued_at) as since
      from (select distinct agent_id, developer_id from odd) asking
        join grants given on given.developer_id = asking.developer_id and given.agent_id = asking.agent_id
        cross join unnest(given.scopes) scope
      group by asking.agent_id, scope)`,
  text: `select ${WHO('odd')}, odd.principal_id as "principalId", max(odd.at) as at,
      json_build_object('count', count(distinct odd.scope),
        'scopes', to_json((array_agg(distinct odd.scope order by odd.scope))[1:${MOST_SCOPES}])) as metadata
    from odd join (select agent_id, min(since) as since from known group by agent_id) history
        on history.agent_id = odd.agent_id and history.since < odd.at
      left join known on known.agent_id = odd.agent_id and known.scope = odd.scope
    where known.since is null or known.since >= odd.at
    group by odd.developer_id, odd.agent_id, odd.principal_id`,
  params: { now: timestamp, since: timestamp },
  values: (_config, time) => time,
});
const cascadeDelegation = rule({
  type: 'cascade_delegation',
  text: `select ${WHO('given')}, given.principal_id as "principalId", max(given.issued_at) as at, json_build_object(
      'depth', max(given.delegation_depth), 'maxDepth', $maxDepth::int,
      'grantId', (array_agg(given.id order by given.issued_at desc, given.id desc))[1]) as metadata
    from agent join grants given on given.developer_id = agent.developer_id and given.agent_id = agent.id
    where given.issued_at > $since::timestamptz and given.issued_at <= $now::timestamptz and given.delegation_depth >= $minDepth::int
    group by given.developer_id, given.agent_id, given.principal_id`,
  params: { now: timestamp, since: timestamp, minDepth: int, maxDepth: int },
  values: ({ maxDelegationDepth, anomalyCascadeMargin }, time) => ({
    ...time,
    minDepth: Math.max(1, maxDelegationDepth - anomalyCascadeMargin),
    maxDepth: maxDelegationDepth,
  }),
});

/** A rule keeps at most this many findings for one developer, the newest. No developer can crowd out the others. */
const MOST_FINDINGS = 1000;

/** One text for each kind of scope, so that each can use its own index. */
const AGENTS = {
  agents: 'select id, developer_id from agents where id = any($ids::text[]) and removed_at is null',
  developers:
    'select id, developer_id from agents where developer_id = any($ids::text[]) and removed_at is null',
  all: 'select id, developer_id from agents where $ids::text[] is null and removed_at is null',
};
type ScopeKind = keyof typeof AGENTS;

const textFor = ({ ctes, text: findings }: Pick<Rule, 'ctes' | 'text'>, agents: string): string =>
  `with ${[`agent as materialized (${agents})`, ...(ctes ? [ctes] : [])].join(',\n    ')}
    select "developerId", "agentId", "principalId", at, metadata from (
      select found.*, row_number() over (partition by "developerId" order by at desc) as place from (
        ${findings}) found) placed
    where place <= ${MOST_FINDINGS}`;

/** Makes the queries of a rule and the function that runs one of them. */
function asking<P extends Columns>(one: Rule<P>) {
  const queryFor = (kind: ScopeKind) =>
    query({
      operation: 'SELECT',
      collection: 'agents',
      name: `anomalies.${one.type}_${kind}`,
      text: textFor(one, AGENTS[kind]),
      params: { ids: orNull(texts), ...one.params },
      row: {
        developerId: text,
        agentId: text,
        principalId: orNull(text),
        at: timestamp,
        metadata: json<Finding['metadata']>(),
      },
    });
  const queries = { agents: queryFor('agents'), developers: queryFor('developers'), all: queryFor('all') };
  return async (
    db: Queryable,
    config: Config,
    scope: DetectionScope,
    time: DetectionTime,
  ): Promise<Finding[]> => {
    const [kind, ids] = partsOf(scope);
    const rows = await db.all(queries[kind], { ids, ...one.values(config, time) });
    return rows.map((row) => ({ ...row, type: one.type }));
  };
}

const RULES = [
  asking(rateSpike),
  asking(highFailureRate),
  asking(newPrincipal),
  asking(offHoursActivity),
  asking(unusualScopeAccess),
  asking(cascadeDelegation),
];

const partsOf = (scope: DetectionScope): [ScopeKind, readonly string[] | null] => {
  if (scope === null) return ['all', null];
  return 'agents' in scope ? ['agents', scope.agents] : ['developers', scope.developers];
};

/** Runs the rules one after the other. Only the detection itself waits for them. */
export async function findAnomalies(
  db: Queryable,
  config: Config,
  scope: DetectionScope,
  time: DetectionTime,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const ask of RULES) findings.push(...(await ask(db, config, scope, time)));
  return findings;
}
