import type { AnomalyType } from '../closed-sets.ts';
import type { Config } from '../config.ts';
import type { Queryable } from '../db/queryable.ts';
import { describeStatement, type Statement } from '../telemetry/database.ts';
import type { Finding } from './finding.ts';

/** What a rule is asked about: agents, all agents of developers, or with null all there are. */
export type Target =
  | { readonly agents: readonly string[] }
  | { readonly developers: readonly string[] }
  | null;

/** When a rule is asked, and from when on it looks at single facts; rules about windows have their own. */
export interface Span {
  readonly now: Date;
  readonly since: Date;
}

interface Rule {
  readonly type: AnomalyType;
  /** What `text` selects from besides `agent (id, developer_id)`, whose parameter is $1. */
  readonly ctes?: string;
  /** Selects findings. `values` are from $2 on; $2 is now. */
  readonly text: string;
  readonly values: (config: Config, span: Span) => readonly unknown[];
}

const WHO = (of: string) => `${of}.developer_id as "developerId", ${of}.agent_id as "agentId"`;
const AGENT = `agent.developer_id as "developerId", agent.id as "agentId", null::text as "principalId"`;

/**
 * When an anomaly of a rule about a window was last acknowledged: what was before that has been seen to, and does not add up
 * to another one.
 */
const seenTo = (type: AnomalyType) => `cross join lateral (
      select coalesce(max(acknowledged_at), '-infinity') as at from anomalies
      where developer_id = agent.developer_id and type = '${type}' and agent_id = agent.id
        and coalesce(principal_id, '') = '' and acknowledged_at is not null) seen_to`;

/** Every token is issued together with a refresh token, whose row has the agent and the time. */
const rateSpike: Rule = {
  type: 'rate_spike',
  text: `select ${AGENT}, counted.last as at, json_build_object('issued', counted.recent,
      'baseline', round(counted.baseline, 2), 'windowMinutes', $5::int) as metadata
    from agent ${seenTo('rate_spike')} cross join lateral (
      select count(*) filter (where issued_at > $2::timestamptz - make_interval(mins => $5::int)
          and issued_at > seen_to.at) as recent,
        (count(*) filter (where issued_at <= $2::timestamptz - make_interval(mins => $5::int)))::numeric * $5::int / ($6::int * 60)
          as baseline, max(issued_at) as last
      from refresh_tokens where agent_id = agent.id and issued_at <= $2::timestamptz
        and issued_at > $2::timestamptz - make_interval(mins => $5::int, hours => $6::int)) counted
    where counted.recent > $3::int and counted.recent > counted.baseline * $4::int`,
  values: (config, { now }) => [
    now,
    config.anomalyRateOver,
    config.anomalyRateFactor,
    config.anomalyRateWindowMinutes,
    config.anomalyRateBaselineHours,
  ],
};

const highFailureRate: Rule = {
  type: 'high_failure_rate',
  // A code lives ten minutes and the wait for a decision as long: what was exchanged since was asked for an hour earlier at most.
  text: `select ${AGENT}, greatest(entries.last, refused.last) as at, json_build_object(
      'failed', entries.failed + refused.total, 'total', entries.total + exchanged.total + refused.total,
      'windowHours', $5::int) as metadata
    from agent ${seenTo('high_failure_rate')} cross join lateral (
      select count(*) as total, count(*) filter (where status <> 'success') as failed,
        max(created_at) filter (where status <> 'success') as last
      from audit_entries where developer_id = agent.developer_id and agent_id = agent.id
        and created_at > $2::timestamptz - make_interval(hours => $5::int) and created_at <= $2
        and created_at > seen_to.at) entries
    cross join lateral (
      select count(*) as total from authorization_requests where agent_id = agent.id
        and created_at > $2::timestamptz - make_interval(hours => $5::int + 1)
        and exchanged_at > $2::timestamptz - make_interval(hours => $5::int) and exchanged_at <= $2
        and exchanged_at > seen_to.at) exchanged
    cross join lateral (
      select coalesce(sum(failed_exchanges.total), 0) as total, max(last_at) as last from failed_exchanges
      where agent_id = agent.id and last_at > $2::timestamptz - make_interval(hours => $5::int)
        and minute > $2::timestamptz - make_interval(hours => $5::int, mins => 1) and minute <= $2
        and minute > date_trunc('minute', seen_to.at)) refused
    where entries.total + exchanged.total + refused.total >= $3::int
      and (entries.failed + refused.total) * 100 > (entries.total + exchanged.total + refused.total) * $4::int`,
  values: (config, { now }) => [
    now,
    config.anomalyFailureEntries,
    config.anomalyFailurePercent,
    config.anomalyFailureWindowHours,
  ],
};

/** A time of day within the hours; hours that do not end after they begin cross midnight. */
const OFF_HOURS = `case when $4::time < $5::time
          then (issued_at at time zone 'UTC')::time >= $4::time and (issued_at at time zone 'UTC')::time < $5::time
          else (issued_at at time zone 'UTC')::time >= $4::time or (issued_at at time zone 'UTC')::time < $5::time end`;
const offHoursActivity: Rule = {
  type: 'off_hours_activity',
  text: `select ${AGENT}, counted.last as at, json_build_object('issued', counted.issued,
      'start', to_char($4::time, 'HH24:MI'), 'end', to_char($5::time, 'HH24:MI')) as metadata
    from agent ${seenTo('off_hours_activity')} cross join lateral (
      select count(*) as issued, max(issued_at) as last from refresh_tokens
      where agent_id = agent.id and issued_at <= $2::timestamptz
        and issued_at > $2::timestamptz - make_interval(hours => $6::int) and issued_at > seen_to.at and ${OFF_HOURS}) counted
    where counted.issued > $3::int`,
  values: (config, { now }) => [
    now,
    config.anomalyOffHoursOver,
    config.anomalyOffHoursStart,
    config.anomalyOffHoursEnd,
    config.anomalyOffHoursWindowHours,
  ],
};

const newPrincipal: Rule = {
  type: 'new_principal',
  text: `select ${WHO('given')}, given.principal_id as "principalId", min(given.issued_at) as at,
      json_build_object('grantId', min(given.id)) as metadata
    from agent join grants given on given.developer_id = agent.developer_id and given.agent_id = agent.id
    where given.issued_at > $3::timestamptz and given.issued_at <= $2::timestamptz and not exists (
      select from grants earlier where earlier.agent_id = given.agent_id and earlier.principal_id = given.principal_id
        and earlier.issued_at < given.issued_at)
    group by given.developer_id, given.agent_id, given.principal_id`,
  values: (_config, { now, since }) => [now, since],
};

/** What is asked for is whatever a caller likes: so much of it is looked at for each agent, and so much is told. */
const MOST_REQUESTS = 1000;
const MOST_SCOPES = 20;
/** Most scopes were among the last grants: only for those that were not, all grants of the agent are read, and once. */
const unusualScopeAccess: Rule = {
  type: 'unusual_scope_access',
  ctes: `requested as materialized (
      select agent.developer_id, agent.id as agent_id, request.principal_id, request.created_at as at, scope
      from agent cross join lateral (
          select principal_id, created_at, scopes from authorization_requests
          where agent_id = agent.id and created_at > $3::timestamptz and created_at <= $2::timestamptz
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
  values: (_config, { now, since }) => [now, since],
};
const cascadeDelegation: Rule = {
  type: 'cascade_delegation',
  text: `select ${WHO('given')}, given.principal_id as "principalId", max(given.issued_at) as at, json_build_object(
      'depth', max(given.delegation_depth), 'maxDepth', $5::int,
      'grantId', (array_agg(given.id order by given.issued_at desc, given.id desc))[1]) as metadata
    from agent join grants given on given.developer_id = agent.developer_id and given.agent_id = agent.id
    where given.issued_at > $3::timestamptz and given.issued_at <= $2::timestamptz and given.delegation_depth >= $4::int
    group by given.developer_id, given.agent_id, given.principal_id`,
  values: ({ maxDelegationDepth, anomalyCascadeMargin }, { now, since }) => [
    now,
    since,
    Math.max(1, maxDelegationDepth - anomalyCascadeMargin),
    maxDelegationDepth,
  ],
};

/** Of one developer, those findings of a rule that rest on the newest facts: whoever has more crowds nobody else out. */
const MOST_FINDINGS = 1000;

/** One text for each kind of target, so that each can use its own index. */
const AGENTS = {
  agents: 'select id, developer_id from agents where id = any($1::text[])',
  developers: 'select id, developer_id from agents where developer_id = any($1::text[])',
  all: 'select id, developer_id from agents where $1::text[] is null',
};
type TargetKind = keyof typeof AGENTS;

const textOf = ({ ctes, text }: Rule, agents: string): string =>
  `with ${[`agent as materialized (${agents})`, ...(ctes ? [ctes] : [])].join(',\n    ')}
    select "developerId", "agentId", "principalId", at, metadata from (
      select found.*, row_number() over (partition by "developerId" order by at desc) as place from (
        ${text}) found) placed
    where place <= ${MOST_FINDINGS}`;

const RULES = [
  rateSpike,
  highFailureRate,
  newPrincipal,
  offHoursActivity,
  unusualScopeAccess,
  cascadeDelegation,
].map((rule) => ({
  ...rule,
  statements: Object.fromEntries(
    Object.entries(AGENTS).map(([kind, agents]) => [
      kind,
      describeStatement({
        operation: 'SELECT',
        collection: 'agents',
        name: `anomalies.${rule.type}_${kind}`,
        text: textOf(rule, agents),
      }),
    ]),
  ) as Record<TargetKind, Statement>,
}));

const partsOf = (target: Target): [TargetKind, readonly string[] | null] => {
  if (target === null) return ['all', null];
  return 'agents' in target ? ['agents', target.agents] : ['developers', target.developers];
};

/** Asks every rule, one after the other: nothing waits for it but what looks for anomalies. */
export async function findAnomalies(
  db: Queryable,
  config: Config,
  target: Target,
  span: Span,
): Promise<Finding[]> {
  const [kind, ids] = partsOf(target);
  const findings: Finding[] = [];
  for (const { type, statements, values } of RULES) {
    const rows = await db.rows<Omit<Finding, 'type'>>(statements[kind], [ids, ...values(config, span)]);
    findings.push(...rows.map((row) => ({ ...row, type })));
  }
  return findings;
}
