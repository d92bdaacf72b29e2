/**
 * The standard endpoints, for gateways and libraries that know OAuth and not Grantex: metadata (RFC 8414),
 * introspection (RFC 7662) and revocation (RFC 7009). The room has no table. It reads those of `tokens` and `grants`,
 * and revokes through their use cases. No other room calls this one.
 */
import { Type } from 'typebox';
import type { Deps } from '../deps.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { ok } from '../http/reply.ts';
import { done } from '../outcome.ts';
import { type IntrospectDeps, introspect } from './introspect-token.ts';
import { type RevokePresentedDeps, revokePresented } from './revoke-presented.ts';

const Presented = Type.Object({ token: Type.String(), token_type_hint: Type.Optional(Type.String()) });

const Url = Type.String();
const Metadata = Type.Object({
  issuer: Url,
  jwks_uri: Url,
  introspection_endpoint: Url,
  revocation_endpoint: Url,
  token_endpoint_auth_methods_supported: Type.Array(Type.String()),
  introspection_endpoint_auth_methods_supported: Type.Array(Type.String()),
  revocation_endpoint_auth_methods_supported: Type.Array(Type.String()),
  service_documentation: Url,
});

const Introspection = Type.Object({
  active: Type.Boolean(),
  scope: Type.Optional(Type.String()),
  client_id: Type.Optional(Type.String()),
  token_type: Type.Optional(Type.Enum(['Bearer', 'refresh_token'])),
  exp: Type.Optional(Type.Integer()),
  iat: Type.Optional(Type.Integer()),
  sub: Type.Optional(Type.String()),
  aud: Type.Optional(Type.String()),
  iss: Type.Optional(Type.String()),
  jti: Type.Optional(Type.String()),
  act: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  'urn:grantex:grant': Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});

/** The API key as Basic password, or as Bearer token. */
const AUTH_METHODS = ['client_secret_basic', 'Bearer'];

/** RFC 8414 §2, of what exists: codes and refresh tokens are exchanged at Grantex's own routes, not at an OAuth endpoint. */
const metadata = ({ baseUrl, issuer }: Pick<Deps, 'baseUrl' | 'issuer'>) => ({
  issuer: issuer(),
  jwks_uri: `${baseUrl()}/.well-known/jwks.json`,
  introspection_endpoint: `${baseUrl()}/oauth/introspect`,
  revocation_endpoint: `${baseUrl()}/oauth/revoke`,
  token_endpoint_auth_methods_supported: AUTH_METHODS.slice(0, 1),
  introspection_endpoint_auth_methods_supported: AUTH_METHODS,
  revocation_endpoint_auth_methods_supported: AUTH_METHODS.slice(0, 1),
  service_documentation: `${baseUrl()}/openapi.json`,
});

export const oauthRoutes = (
  deps: IntrospectDeps & RevokePresentedDeps & Pick<Deps, 'baseUrl'>,
): Endpoint[] => [
  endpoint({
    method: 'post',
    path: '/oauth/introspect',
    summary: 'What a grant token or refresh token is worth now (RFC 7662)',
    access: 'joined',
    limit: 'verify',
    operation: 'introspect',
    readOnly: true,
    oauth: true,
    body: Presented,
    responses: { 200: Introspection },
    handle: async ({ caller, body }) => ok(await introspect(deps, caller, body.token)),
  }),
  endpoint({
    method: 'post',
    path: '/oauth/revoke',
    summary: 'Revoke a grant token, or a refresh token with its grant (RFC 7009)',
    access: 'developer',
    limit: 'api',
    oauth: true,
    body: Presented,
    responses: { 200: Type.Object({}) },
    handle: async ({ caller, body }) => ok(await revokePresented(deps, caller, body.token), () => ({})),
  }),
  endpoint({
    method: 'get',
    path: '/.well-known/oauth-authorization-server',
    summary: 'Metadata of the standard endpoints (RFC 8414)',
    access: 'public',
    limit: null,
    responses: { 200: Metadata },
    handle: async () =>
      done({ status: 200, json: metadata(deps), headers: { 'cache-control': 'public, max-age=60' } }),
  }),
];
