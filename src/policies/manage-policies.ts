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

/** Every request for authorization is compared with all of them. */
const MAX_POLICIES = 500;

/** NOT_FOUND when the agent that a policy is to name was removed at the same moment. */
const agentIsGone = (error: unknown): Refused => {
  if (isForeignKeyViolation(error)) return refuse(notFound('Agent'));
  throw error;
};

/** Adds a policy. BAD_REQUEST when there are too many, NOT_FOUND for an agent that is not the developer's. */
export async function addPolicy(
  { db, ids, clock }: Pick<Deps, 'db' | 'ids' | 'clock'>,
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
  return done({ ...terms, id, createdAt: now, updatedAt: now });
}

/** All policies of a developer: by priority, the greatest first, then by age, the oldest first. */
export const ownPolicies = async ({ db }: Pick<Deps, 'db'>, caller: Caller): Promise<Outcome<Policy[]>> =>
  done(await listPolicies(db, caller.id));

/** One policy; NOT_FOUND for an unknown one or another developer's. */
export async function ownPolicy(
  { db }: Pick<Deps, 'db'>,
  caller: Caller,
  id: string,
): Promise<Outcome<Policy>> {
  const policy = await policyById(db, { developerId: caller.id, id });
  return policy ? done(policy) : refuse(notFound('Policy'));
}

/** Changes what is given of a policy. NOT_FOUND for an unknown policy, or an agent that is not the developer's. */
export async function changePolicy(
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  caller: Caller,
  { id, change }: { id: string; change: PolicyChange },
): Promise<Outcome<Policy>> {
  const key = { developerId: caller.id, id };
  const changed = await updatePolicy(db, key, change, new Date(clock.now())).catch(agentIsGone);
  if (changed === undefined) return refuse(notFound('Policy or agent'));
  return isRefused(changed) ? changed : done(changed);
}

/** Removes a policy; NOT_FOUND as for `ownPolicy`. */
export async function deletePolicy(
  { db }: Pick<Deps, 'db'>,
  caller: Caller,
  id: string,
): Promise<Outcome<null>> {
  return (await removePolicy(db, { developerId: caller.id, id })) ? done(null) : refuse(notFound('Policy'));
}
