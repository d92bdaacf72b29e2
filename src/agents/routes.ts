/**
 * Agents: the programs that act for principals and ask for their consent. Developers register, change, suspend and
 * delete their own agents.
 * Table: `agents`. Deletion revokes and removes the grants of the agent through the use cases of `grants`.
 * Other rooms read agents through `store.ts`.
 */
import { Type } from 'typebox';
import type { Deps } from '../deps.ts';
import type { RevokeDeps } from '../grants/revoke-grants.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { faultOfPage, pageInfo, pageOf, pageQuery, pageView } from '../http/pagination.ts';
import { created, noContent, ok } from '../http/reply.ts';
import { Name, orNull, Scopes, Timestamp } from '../http/schemas.ts';
import { agentDid } from '../ids.ts';
import { deleteAgent } from './delete-agent.ts';
import { changeAgent, ownAgent, ownAgents, registerAgent } from './manage-agents.ts';
import type { Agent } from './store.ts';

const Status = Type.Enum(['active', 'suspended']);
const Description = orNull(Type.String({ maxLength: 2000 }));
const ScopesOrNull = orNull(Scopes);

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

type AgentDeps = Pick<Deps, 'db' | 'ids' | 'clock' | 'config'> & RevokeDeps;

export const agentRoutes = (deps: AgentDeps): Endpoint[] => [
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
      status: Type.Optional(Status),
    }),
    responses: { 201: AgentView },
    handle: async ({ caller, body: { name, description, scopes, status } }) =>
      created(
        await registerAgent(deps, caller, {
          name,
          description: description ?? '',
          scopes: scopes ?? [],
          status: status ?? 'active',
        }),
        view,
      ),
  }),
  endpoint({
    method: 'get',
    path: '/v1/agents',
    large: true,
    summary: 'Agents, newest first',
    access: 'developer',
    limit: 'api',
    query: pageQuery({}, 100),
    responses: { 200: pageView({ agents: Type.Array(AgentView) }) },
    check: ({ query }) => faultOfPage(query),
    handle: async ({ caller, query }) => {
      const page = pageOf(query);
      return ok(await ownAgents(deps, caller, page), ({ agents, total }) => ({
        agents: agents.map(view),
        ...pageInfo(page, total),
      }));
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/agents/:id',
    summary: 'One agent',
    access: 'developer',
    limit: 'api',
    responses: { 200: AgentView },
    handle: async ({ caller, params }) => ok(await ownAgent(deps, caller, params['id'] ?? ''), view),
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
    handle: async ({ caller, params }) => noContent(await deleteAgent(deps, caller, params['id'] ?? '')),
  }),
];

const changeRoute = (deps: AgentDeps, method: 'patch' | 'post', summary: string): Endpoint =>
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
    handle: async ({ caller, params, body: { name, description, scopes, status } }) => {
      const change = {
        name,
        description: description === null ? '' : description,
        scopes: scopes === null ? [] : scopes,
        status,
      };
      return ok(await changeAgent(deps, caller, { id: params['id'] ?? '', change }), view);
    },
  });
