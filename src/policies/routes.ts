/**
 * Policies: a developer's standing rules that allow or deny requests for authorization in place of the principal.
 * Table: `policies`.
 * The statement that stores a request (`authorization/store.ts`) evaluates the policies. `compliance`
 * reports them.
 */
import { Type } from 'typebox';
import type { Deps } from '../deps.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { created, noContent, ok } from '../http/reply.ts';
import { Id, Name, orNull, PrincipalId, Scopes } from '../http/schemas.ts';
import { addPolicy, changePolicy, deletePolicy, ownPolicies, ownPolicy } from './manage-policies.ts';
import { Effect, PolicyView, TimeOfDay } from './view.ts';

/** The bounds of a 32-bit integer. */
const Priority = Type.Integer({ minimum: -2_147_483_648, maximum: 2_147_483_647 });
const Conditions = {
  agentId: Type.Optional(orNull(Id)),
  principalId: Type.Optional(orNull(PrincipalId)),
  scopes: Type.Optional(orNull(Scopes)),
  timeOfDayStart: Type.Optional(orNull(TimeOfDay)),
  timeOfDayEnd: Type.Optional(orNull(TimeOfDay)),
};

export const policyRoutes = (deps: Pick<Deps, 'db' | 'ids' | 'clock' | 'telemetry'>): Endpoint[] => [
  endpoint({
    method: 'post',
    path: '/v1/policies',
    summary: 'Add a rule that allows or denies requests for authorization',
    access: 'developer',
    limit: 'api',
    body: Type.Object({
      name: Name,
      effect: Effect,
      priority: Type.Optional(Priority),
      ...Conditions,
    }),
    responses: { 201: PolicyView },
    handle: async ({ caller, body }) => {
      const { name, effect, priority = 0, agentId = null, principalId = null, scopes = null } = body;
      const { timeOfDayStart = null, timeOfDayEnd = null } = body;
      const terms = { name, effect, priority, agentId, principalId, scopes, timeOfDayStart, timeOfDayEnd };
      return created(await addPolicy(deps, caller, terms));
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/policies',
    large: true,
    summary: 'All policies, by priority and then by age',
    access: 'developer',
    limit: 'api',
    responses: { 200: Type.Object({ policies: Type.Array(PolicyView), total: Type.Integer() }) },
    handle: async ({ caller }) =>
      ok(await ownPolicies(deps, caller), (policies) => ({ policies, total: policies.length })),
  }),
  endpoint({
    method: 'get',
    path: '/v1/policies/:id',
    summary: 'One policy',
    access: 'developer',
    limit: 'api',
    responses: { 200: PolicyView },
    handle: async ({ caller, params }) => ok(await ownPolicy(deps, caller, params['id'] ?? '')),
  }),
  endpoint({
    method: 'patch',
    path: '/v1/policies/:id',
    summary: 'Change a policy; null clears a condition',
    access: 'developer',
    limit: 'api',
    body: Type.Object({
      name: Type.Optional(Name),
      effect: Type.Optional(Effect),
      priority: Type.Optional(Priority),
      ...Conditions,
    }),
    responses: { 200: PolicyView },
    handle: async ({ caller, params, body }) => {
      const { name, effect, priority, agentId, principalId, scopes, timeOfDayStart, timeOfDayEnd } = body;
      const change = { name, effect, priority, agentId, principalId, scopes, timeOfDayStart, timeOfDayEnd };
      return ok(await changePolicy(deps, caller, { id: params['id'] ?? '', change }));
    },
  }),
  endpoint({
    method: 'delete',
    path: '/v1/policies/:id',
    summary: 'Remove a policy',
    access: 'developer',
    limit: 'api',
    responses: { 204: null },
    handle: async ({ caller, params }) => noContent(await deletePolicy(deps, caller, params['id'] ?? '')),
  }),
];
