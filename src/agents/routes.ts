import { Type } from 'typebox';
import type { Deps } from '../deps.ts';
import { badRequest, notFound } from '../errors.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { created, noContent, ok } from '../http/reply.ts';
import { Name, Scopes, Timestamp } from '../http/schemas.ts';
import { deleteAgent } from './delete-agent.ts';
import {
  type Agent,
  type AgentChange,
  agentById,
  agentDid,
  insertAgent,
  listAgents,
  updateAgent,
} from './store.ts';

const Status = Type.Enum(['active', 'suspended']);
const Description = Type.Union([Type.String({ maxLength: 2000 }), Type.Null()]);
const ScopesOrNull = Type.Union([Scopes, Type.Null()]);

const AgentView = Type.Object({
  agentId: Type.String(),
  id: Type.String(),
  did: Type.String(),
  developerId: Type.String(),
  name: Type.String(),
  description: Type.String(),
  scopes: Type.Array(Type.String()),
  status: Status,
  createdAt: Timestamp,
  updatedAt: Timestamp,
});
const view = (agent: Agent) => ({ agentId: agent.id, did: agentDid(agent.id), ...agent });

export const agentRoutes = (deps: Deps): Endpoint[] => [
  endpoint({
    method: 'post',
    path: '/v1/agents',
    summary: 'Register an agent',
    access: 'developer',
    limit: 'api',
    body: Type.Object({
      name: Name,
      description: Type.Optional(Description),
      scopes: Type.Optional(ScopesOrNull),
    }),
    responses: { 201: AgentView },
    handle: async ({ developer, body }) => {
      const now = deps.clock.now();
      const agent = await insertAgent(deps.db, {
        id: deps.ids.next('ag', now),
        developerId: developer.id,
        name: body.name,
        description: body.description ?? '',
        scopes: body.scopes ?? [],
        createdAt: new Date(now),
      });
      return created(view(agent));
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/agents',
    summary: 'All agents, newest first',
    access: 'developer',
    limit: 'api',
    responses: { 200: Type.Object({ agents: Type.Array(AgentView) }) },
    handle: async ({ developer }) => ok({ agents: (await listAgents(deps.db, developer.id)).map(view) }),
  }),
  endpoint({
    method: 'get',
    path: '/v1/agents/:id',
    summary: 'One agent',
    access: 'developer',
    limit: 'api',
    responses: { 200: AgentView },
    handle: async ({ developer, params }) => {
      const agent = await agentById(deps.db, developer.id, params['id'] ?? '');
      if (!agent) throw notFound('Agent');
      return ok(view(agent));
    },
  }),
  changeRoute(deps, 'patch', 'Change an agent'),
  changeRoute(deps, 'post', 'Change an agent (the same as PATCH)'),
  endpoint({
    method: 'delete',
    path: '/v1/agents/:id',
    summary: 'Revoke every grant of an agent and remove it',
    access: 'developer',
    limit: 'api',
    responses: { 204: null },
    handle: async ({ developer, params }) => {
      await deleteAgent(deps, developer.id, params['id'] ?? '');
      return noContent;
    },
  }),
];

const changeRoute = (deps: Deps, method: 'patch' | 'post', summary: string): Endpoint =>
  endpoint({
    method,
    path: '/v1/agents/:id',
    summary,
    access: 'developer',
    limit: 'api',
    body: Type.Object({
      name: Type.Optional(Name),
      description: Type.Optional(Description),
      scopes: Type.Optional(ScopesOrNull),
      status: Type.Optional(Status),
    }),
    responses: { 200: AgentView },
    handle: async ({ developer, params, body }) => {
      const change: AgentChange = {
        name: body.name,
        description: body.description === null ? '' : body.description,
        scopes: body.scopes === null ? [] : body.scopes,
        status: body.status,
      };
      if (Object.values(change).every((value) => value === undefined))
        throw badRequest('At least one of name, description, scopes and status is required');
      const agent = await updateAgent(
        deps.db,
        developer.id,
        params['id'] ?? '',
        change,
        new Date(deps.clock.now()),
      );
      if (!agent) throw notFound('Agent');
      return ok(view(agent));
    },
  });
