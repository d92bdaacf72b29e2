/**
 * Developers: the tenants of the service, and their API keys.
 * Tables: `developers`, `api_keys`.
 * `http` authenticates each developer's request through `authenticate.ts`, and tells `key-uses.ts` of the key. Statements that
 * look up the key themselves use `key-owner-store.ts` and `known-caller.ts`.
 */
import { Type } from 'typebox';
import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { durationSeconds, faultOfDuration } from '../duration.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { created, noContent, ok } from '../http/reply.ts';
import { Duration, Name, orNull, Timestamp } from '../http/schemas.ts';
import { done } from '../outcome.ts';
import type { ApiKey } from './keys-store.ts';
import { createKey, deleteKey, ownKeys } from './manage-keys.ts';
import { rotateKey } from './rotate-key.ts';
import { signUp } from './sign-up.ts';

const Mode = Type.Enum(['live', 'sandbox']);
const Email = Type.String({ maxLength: 254, pattern: '^[^@\\s]+@[^@\\s]+$' });
const DeveloperView = {
  developerId: Type.String(),
  name: Type.String(),
  email: orNull(Type.String()),
  mode: Mode,
  createdAt: Timestamp,
};

const KeyView = {
  id: Type.String(),
  name: Type.String(),
  prefix: Type.String({ description: 'The first characters of the key' }),
  createdAt: Timestamp,
  expiresAt: Type.Optional(Timestamp),
  lastUsedAt: orNull(Timestamp, { description: 'Up to two minutes late' }),
};
const keyView = ({ expiresAt, ...key }: ApiKey) => ({ ...key, ...(expiresAt && { expiresAt }) });
const MAX_OVERLAP_SECONDS = 86_400;

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
  ...keyRoutes(deps),
];

const keyRoutes = (deps: DeveloperDeps): Endpoint[] => [
  endpoint({
    method: 'get',
    path: '/v1/keys',
    summary: 'All API keys, oldest first, without their text',
    access: 'developer',
    limit: 'api',
    responses: { 200: Type.Object({ keys: Type.Array(Type.Object(KeyView)), total: Type.Integer() }) },
    handle: async ({ caller }) =>
      ok(await ownKeys(deps, caller), (keys) => ({ keys: keys.map(keyView), total: keys.length })),
  }),
  endpoint({
    method: 'post',
    path: '/v1/keys',
    summary: 'Make a further API key; its text is shown once',
    access: 'developer',
    limit: 'api',
    body: Type.Object({ name: Name, expiresIn: Type.Optional(Duration) }),
    responses: { 201: Type.Object({ ...KeyView, apiKey: Type.String() }) },
    check: ({ body: { expiresIn } }) => (expiresIn === undefined ? null : faultOfDuration(expiresIn)),
    handle: async ({ caller, body: { name, expiresIn } }) => {
      const seconds = expiresIn === undefined ? null : durationSeconds(expiresIn);
      return created(await createKey(deps, caller, { name, seconds }), keyView);
    },
  }),
  endpoint({
    method: 'delete',
    path: '/v1/keys/:id',
    summary: 'Remove an API key; it stops working at once. The last usable one stays',
    access: 'developer',
    limit: 'api',
    responses: { 204: null },
    handle: async ({ caller, params }) => noContent(await deleteKey(deps, caller, params['id'] ?? '')),
  }),
  endpoint({
    method: 'post',
    path: '/v1/keys/rotate',
    summary: 'Replace the API key; the old one stops working at once, or after an overlap',
    access: 'developer',
    limit: 'api',
    body: Type.Object({
      overlapSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_OVERLAP_SECONDS })),
    }),
    responses: { 200: Type.Object({ apiKey: Type.String(), rotatedAt: Timestamp }) },
    handle: async ({ caller, body: { overlapSeconds = 0 } }) =>
      ok(await rotateKey(deps, caller, { overlapSeconds })),
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
      email: Type.Optional(orNull(Email)),
      mode: Type.Optional(Mode),
    }),
    responses: { 201: Type.Object({ ...DeveloperView, apiKey: Type.String() }) },
    handle: async ({ caller, body: { name, email = null, mode = 'live' } }) =>
      created(await signUp(deps, caller, { name, email, mode }), ({ apiKey, ...developer }) => ({
        ...view(developer),
        apiKey,
      })),
  });
