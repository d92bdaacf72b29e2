import type { Deps } from '../deps.ts';
import type { RetentionTable } from '../label-values.ts';
import { movePrefixes, removeAuditEntries } from './audit-store.ts';
import { type Cutoffs, cutoffsAt } from './cutoffs.ts';
import { EXPLANATIONS } from './explanations-store.ts';
import {
  endedGrants,
  type GrantPosition,
  removeGrants,
  removeRefreshTokensOfGrants,
  removeTokensOfGrants,
} from './grants-store.ts';
import {
  type Removed,
  removeAnomalies,
  removeRequests,
  removeTokens,
  removeUsedRefreshTokens,
  type Span,
} from './rows-store.ts';
import { BEGINNING, saveWalkPosition, walkPosition } from './state-store.ts';

/** Rows of one statement: some ten milliseconds of work. */
const AT_ONCE = 500;
const GRANTS_AT_ONCE = 200;

export type RemoveDeps = Pick<Deps, 'db' | 'config' | 'clock' | 'telemetry'>;

/**
 * Called after each step.
 * @param tookMs how long the step took
 * @returns false: no further step
 */
export type Pace = (tookMs: number) => Promise<boolean>;

/** Removes some rows. @returns whether there may be more */
type Step = () => Promise<boolean>;

/**
 * Removes what had ended long enough ago when it was called. The tables take turns, one small statement each, so that a backlog
 * of one delays no other. A failure ends the work on its table, and nothing else.
 */
export async function removeEnded(deps: RemoveDeps, pace: Pace): Promise<void> {
  const steps = stepsOf(deps, cutoffsAt(deps.config, deps.clock.now()));
  while (steps.size > 0)
    for (const [name, step] of steps) {
      const begun = performance.now();
      const more = await step().catch((error: unknown) => {
        deps.telemetry.events.retentionFailed({ step: name, error });
        return false;
      });
      if (!more) steps.delete(name);
      if (!(await pace(performance.now() - begun))) return;
    }
}

function stepsOf(deps: RemoveDeps, cutoffs: Cutoffs): Map<string, Step> {
  const db = deps.db.background;
  const count = (table: RetentionTable, rows: number) => deps.telemetry.events.rowsRemoved({ table, rows });

  const byTime = (
    table: RetentionTable,
    remove: (db: Deps['db']['background'], of: Span) => Promise<Removed>,
  ): Step => {
    let after = BEGINNING.at;
    return async () => {
      const { removed, reached } = await remove(db, { after, before: cutoffs.rows, limit: AT_ONCE });
      count(table, removed);
      after = reached ?? after;
      return removed === AT_ONCE;
    };
  };

  const usedRefreshTokens: Step = async () => {
    const position = await walkPosition(db, 'used_refresh_tokens');
    const next = await removeUsedRefreshTokens(db, { position, before: cutoffs.rows, limit: AT_ONCE });
    if (!next || isAt(next, position)) return false;
    count('refresh_tokens', next.removed);
    await saveWalkPosition(db, 'used_refresh_tokens', { ...position, at: next.at, id: next.id });
    return true;
  };

  /** @returns whether nothing is left of them */
  const removeTokensOf = async (ids: readonly string[]): Promise<boolean> => {
    const tokens = await removeTokensOfGrants(db, ids, AT_ONCE);
    count('tokens', tokens);
    if (tokens === AT_ONCE) return false;
    const refreshTokens = await removeRefreshTokensOfGrants(db, ids, AT_ONCE);
    count('refresh_tokens', refreshTokens);
    return refreshTokens < AT_ONCE;
  };

  const tokensOfGrants: Step = async () => {
    const position = await walkPosition(db, 'tokens_of_grants');
    const some = await endedGrants(db, { position, before: cutoffs.tokensOfGrants, limit: GRANTS_AT_ONCE });
    const last = some.at(-1);
    if (!last || isAt(last, position)) return false;
    if (await removeTokensOf(some.map(({ id }) => id))) await saveWalkPosition(db, 'tokens_of_grants', last);
    return true;
  };

  let position: GrantPosition = BEGINNING;
  const grants: Step = async () => {
    const some = await endedGrants(db, { position, before: cutoffs.grants, limit: GRANTS_AT_ONCE });
    const last = some.at(-1);
    if (!last || isAt(last, position)) return false;
    const ids = some.map(({ id }) => id);
    if (await removeTokensOf(ids)) {
      count('grants', await removeGrants(db, ids));
      position = last;
    }
    return true;
  };

  const { audit } = cutoffs;
  const auditEntries: Step = async () => {
    if (!audit) return false;
    const more = await movePrefixes(db, { before: audit, limit: AT_ONCE });
    const { removed, found } = await removeAuditEntries(db, AT_ONCE);
    count('audit_entries', removed);
    return more || found;
  };

  return new Map<string, Step>([
    ['authorization_requests', byTime('authorization_requests', removeRequests)],
    ['tokens', byTime('tokens', removeTokens)],
    ['used_refresh_tokens', usedRefreshTokens],
    ['tokens_of_grants', tokensOfGrants],
    ['grants', grants],
    ['anomalies', byTime('anomalies', removeAnomalies)],
    ['audit_entries', auditEntries],
    ...[...EXPLANATIONS].map(([name, remove]): [string, Step] => [
      name,
      async () => (await remove(db, cutoffs.explanations, AT_ONCE)) === AT_ONCE,
    ]),
  ]);
}

/**
 * Whether a walk has come no further. Positions have milliseconds. Where rows have microseconds, the last one is found again, for
 * ever if it cannot go.
 */
const isAt = (one: Pick<GrantPosition, 'at' | 'id'>, other: Pick<GrantPosition, 'at' | 'id'>): boolean =>
  one.id === other.id && one.at.getTime() === other.at.getTime();
