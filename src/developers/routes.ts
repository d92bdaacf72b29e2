/**
 * Developers: the tenants of the service, and their API keys.
 * Table: `developers`.
 * `http` authenticates each developer's request through `authenticate.ts`. Statements that look up the key themselves
 * use `known-caller.ts`.
 */
import { Type } from 'typebox';
import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { created, ok } from '../http/reply.ts';
import { Name, Timestamp } from '../http/schemas.ts';
import { done } from '../outcome.ts';
import { rotateKey } from './rotate-key.ts';
import { signUp } from './sign-up.ts';

const Mode = Type.Enum(['live', 'sandbox']);
const Email = Type.String({ maxLength: 254, pattern: '^[^@\\s]+@[^@\\s]+$' });
const DeveloperView = {
  developerId: Type.String(),
  name: Type.String(),
  email: Type.Union([Type.String(), Type.Null()]),
  mode: Mode,
  createdAt: Timestamp,
};

const view = ({ id, name, email, mode, createdAt }: Developer) => ({
  developerId: id,
  name,
  email,
  mode,
  createdAt,
});

type DeveloperDeps = Pick<Deps, 'config' | 'db' | 'ids' | 'clock' | 'telemetry'>;

export const developerRoutes = (deps: DeveloperDeps): Endpoint[] => [
  ...(deps.config.signupEnabled ? [signUpRoute(deps)] : []),
  endpoint({
    method: 'get',
    path: '/v1/me',
    summary: 'The developer of the API key',
    access: 'developer',
    limit: 'api',
    responses: { 200: Type.Object({ ...DeveloperView, plan: Type.String() }) },
    handle: async ({ caller }) =>
      ok(done(caller), (developer) => ({ ...view(developer), plan: developer.plan })),
  }),
  endpoint({
    method: 'post',
    path: '/v1/keys/rotate',
    summary: 'Replace the API key; the old one stops working at once',
    access: 'developer',
    limit: 'api',
    responses: { 200: Type.Object({ apiKey: Type.String(), rotatedAt: Timestamp }) },
    handle: async ({ caller }) => ok(await rotateKey(deps, caller)),
  }),
];

const signUpRoute = (deps: DeveloperDeps): Endpoint =>
  endpoint({
    method: 'post',
    path: '/v1/signup',
    summary: 'Create a developer; the API key is shown once',
    access: 'public',
    limit: 'signup',
    body: Type.Object({
      name: Name,
      email: Type.Optional(Type.Union([Email, Type.Null()])),
      mode: Type.Optional(Mode),
    }),
    responses: { 201: Type.Object({ ...DeveloperView, apiKey: Type.String() }) },
    handle: async ({ caller, body: { name, email = null, mode = 'live' } }) =>
      created(await signUp(deps, caller, { name, email, mode }), ({ apiKey, ...developer }) => ({
        ...view(developer),
        apiKey,
      })),
  });
