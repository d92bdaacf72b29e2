import type { Developer } from '../caller.ts';
import { isForeignKeyViolation } from '../db/errors.ts';
import type { Deps } from '../deps.ts';
import { badRequest, notFound } from '../errors.ts';
import { done, isRefused, type Outcome, type Refused, refuse } from '../outcome.ts';
import {
  insertPolicy,
  listPolicies,
  type Policy,
  type PolicyChange,
  type PolicyTerms,
  policyById,
  removePolicy,
  updatePolicy,
} from './store.ts';

type Caller = Pick<Developer, 'id'>;

/** The maximum number of policies, because each request for authorization is compared with all of them. */
const MAX_POLICIES = 500;

/** NOT_FOUND when a concurrent request removed the agent that the policy names. */
const agentIsGone = (error: unknown): Refused => {
  if (isForeignKeyViolation(error)) return refuse(notFound('Agent'));
  throw error;
};

/** Adds a policy. BAD_REQUEST when there are too many, NOT_FOUND when the agent does not belong to the developer. */
export async function addPolicy(
  { db, ids, clock, telemetry }: Pick<Deps, 'db' | 'ids' | 'clock' | 'telemetry'>,
  caller: Caller,
  terms: PolicyTerms,
): Promise<Outcome<Policy>> {
  const at = clock.now();
  const now = new Date(at);
  const id = ids.next('pol', at);
  const row = { ...terms, developerId: caller.id, id, now };
  const stored = await db
    .transaction(async (tx) => done(await insertPolicy(tx, row, MAX_POLICIES)))
    .catch(agentIsGone);
  if (isRefused(stored)) return stored;
  const { ownAgent, hasRoom } = stored.value;
  if (!hasRoom) return refuse(badRequest(`A developer has at most ${MAX_POLICIES} policies`));
  if (!ownAgent) return refuse(notFound('Agent'));
  telemetry.events.adminChanged({ object: 'policy', change: 'created', id, developerId: caller.id });
  return done({ ...terms, id, createdAt: now, updatedAt: now });
}

/** All policies of a developer: the greatest priority first, then the oldest first. */
export const ownPolicies = async ({ db }: Pick<Deps, 'db'>, caller: Caller): Promise<Outcome<Policy[]>> =>
  done(await listPolicies(db, caller.id));

/** One policy. NOT_FOUND for an unknown one or one of another developer. */
export async function ownPolicy(
  { db }: Pick<Deps, 'db'>,
  caller: Caller,
  id: string,
): Promise<Outcome<Policy>> {
  const policy = await policyById(db, { developerId: caller.id, id });
  return policy ? done(policy) : refuse(notFound('Policy'));
}

/**
 * Changes the given members of a policy. NOT_FOUND for an unknown policy, or when the agent does not belong to the
 * developer.
 */
export async function changePolicy(
  { db, clock, telemetry }: Pick<Deps, 'db' | 'clock' | 'telemetry'>,
  caller: Caller,
  { id, change }: { id: string; change: PolicyChange },
): Promise<Outcome<Policy>> {
  const key = { developerId: caller.id, id };
  const changed = await updatePolicy(db, key, change, new Date(clock.now())).catch(agentIsGone);
  if (changed === undefined) return refuse(notFound('Policy or agent'));
  if (isRefused(changed)) return changed;
  telemetry.events.adminChanged({ object: 'policy', change: 'updated', ...key });
  return done(changed);
}

/** Removes a policy; NOT_FOUND as for `ownPolicy`. */
export async function deletePolicy(
  { db, telemetry }: Pick<Deps, 'db' | 'telemetry'>,
  caller: Caller,
  id: string,
): Promise<Outcome<null>> {
  const key = { developerId: caller.id, id };
  if (!(await removePolicy(db, key))) return refuse(notFound('Policy'));
  telemetry.events.adminChanged({ object: 'policy', change: 'deleted', ...key });
  return done(null);
}
