import { Type } from 'typebox';
import { isForeignKeyViolation } from '../db/errors.ts';
import type { Deps } from '../deps.ts';
import { badRequest, notFound } from '../errors.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { created, noContent, ok } from '../http/reply.ts';
import { Id, Name, PrincipalId, Scopes, Timestamp } from '../http/schemas.ts';
import {
  countPolicies,
  insertPolicy,
  listPolicies,
  policyById,
  removePolicy,
  updatePolicy,
} from './store.ts';

const orNull = <S extends Parameters<typeof Type.Union>[0][number]>(schema: S) =>
  Type.Union([schema, Type.Null()]);

const Effect = Type.Enum(['allow', 'deny']);
const TimeOfDay = Type.String({
  pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$',
  description: 'HH:mm, UTC',
  examples: ['22:00'],
});
/** A request for authorization is held against all of them. */
const MAX_POLICIES = 500;
/** Bounds of a 32-bit integer. */
const Priority = Type.Integer({ minimum: -2_147_483_648, maximum: 2_147_483_647 });
const Conditions = {
  agentId: Type.Optional(orNull(Id)),
  principalId: Type.Optional(orNull(PrincipalId)),
  scopes: Type.Optional(orNull(Scopes)),
  timeOfDayStart: Type.Optional(orNull(TimeOfDay)),
  timeOfDayEnd: Type.Optional(orNull(TimeOfDay)),
};

const PolicyView = Type.Object({
  id: Type.String(),
  name: Type.String(),
  effect: Effect,
  priority: Type.Integer(),
  agentId: orNull(Type.String()),
  principalId: orNull(Type.String()),
  scopes: orNull(Type.Array(Type.String())),
  timeOfDayStart: orNull(TimeOfDay),
  timeOfDayEnd: orNull(TimeOfDay),
  createdAt: Timestamp,
  updatedAt: Timestamp,
});

/** The agent that a policy is to name was removed at the same moment. */
const agentIsGone = (error: unknown): never => {
  if (isForeignKeyViolation(error)) throw notFound('Agent');
  throw error;
};

export const policyRoutes = (deps: Deps): Endpoint[] => [
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
    handle: async ({ developer, body }) => {
      const { name, effect, priority = 0, agentId = null, principalId = null, scopes = null } = body;
      const { timeOfDayStart = null, timeOfDayEnd = null } = body;
      const now = deps.clock.now();
      const target = { developerId: developer.id, id: deps.ids.next('pol', now), now: new Date(now) };
      const terms = { name, effect, priority, agentId, principalId, scopes, timeOfDayStart, timeOfDayEnd };
      const policy = await deps.db
        .transaction((tx) => insertPolicy(tx, target, terms, MAX_POLICIES))
        .catch(agentIsGone);
      if (policy) return created(policy);
      if ((await countPolicies(deps.db, developer.id)) >= MAX_POLICIES)
        throw badRequest(`A developer has at most ${MAX_POLICIES} policies`);
      throw notFound('Agent');
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/policies',
    summary: 'All policies, by priority and then by age',
    access: 'developer',
    limit: 'api',
    responses: { 200: Type.Object({ policies: Type.Array(PolicyView), total: Type.Integer() }) },
    handle: async ({ developer }) => {
      const policies = await listPolicies(deps.db, developer.id);
      return ok({ policies, total: policies.length });
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/policies/:id',
    summary: 'One policy',
    access: 'developer',
    limit: 'api',
    responses: { 200: PolicyView },
    handle: async ({ developer, params }) => {
      const policy = await policyById(deps.db, developer.id, params['id'] ?? '');
      if (!policy) throw notFound('Policy');
      return ok(policy);
    },
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
    handle: async ({ developer, params, body }) => {
      const { name, effect, priority, agentId, principalId, scopes, timeOfDayStart, timeOfDayEnd } = body;
      const policy = await updatePolicy(
        deps.db,
        { developerId: developer.id, id: params['id'] ?? '', now: new Date(deps.clock.now()) },
        { name, effect, priority, agentId, principalId, scopes, timeOfDayStart, timeOfDayEnd },
      ).catch(agentIsGone);
      if (!policy) throw notFound('Policy or agent');
      return ok(policy);
    },
  }),
  endpoint({
    method: 'delete',
    path: '/v1/policies/:id',
    summary: 'Remove a policy',
    access: 'developer',
    limit: 'api',
    responses: { 204: null },
    handle: async ({ developer, params }) => {
      if (!(await removePolicy(deps.db, developer.id, params['id'] ?? ''))) throw notFound('Policy');
      return noContent;
    },
  }),
];
