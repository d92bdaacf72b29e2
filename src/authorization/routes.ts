/**
 * Authorization: an agent asks to act for a principal. The request waits for a decision in `consent`, unless a policy
 * decides it.
 * Table: `authorization_requests`.
 * `consent` uses the codes and redirect URIs of this room.
 */
import { Type } from 'typebox';
import type { Deps } from '../deps.ts';
import { durationSeconds, faultOfDuration } from '../duration.ts';
import { badRequest } from '../errors.ts';
import { faultOfTokenSize } from '../grant-token/token-size.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { created } from '../http/reply.ts';
import { Duration, Id, PrincipalId, SomeScopes, Timestamp } from '../http/schemas.ts';
import { parseRedirectUri } from './redirect-uri.ts';
import { type AuthorizationDeps, requestAuthorization } from './request-authorization.ts';

const DEFAULT_GRANT_LIFE = '24h';

export function authorizationRoutes(deps: AuthorizationDeps & Pick<Deps, 'config' | 'baseUrl'>): Endpoint[] {
  const allowHttp = deps.config.allowHttpRedirects;
  return [
    endpoint({
      method: 'post',
      path: '/v1/authorize',
      summary: 'Ask that an agent may act for a principal',
      access: 'joined',
      limit: 'authorize',
      attempt: 'authorize',
      operation: 'authorize',
      body: Type.Object({
        agentId: Id,
        principalId: PrincipalId,
        scopes: SomeScopes,
        redirectUri: Type.Optional(Type.String({ minLength: 1, maxLength: 2048 })),
        state: Type.Optional(Type.String({ maxLength: 2048 })),
        expiresIn: Type.Optional(Duration),
        audience: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
        codeChallenge: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' })),
        codeChallengeMethod: Type.Optional(Type.Literal('S256')),
      }),
      responses: {
        201: Type.Object({
          authRequestId: Type.String(),
          consentUrl: Type.String(),
          expiresAt: Timestamp,
          agentId: Type.String(),
          principalId: Type.String(),
          scopes: Type.Array(Type.String()),
          expiresIn: Type.String(),
          status: Type.Enum(['pending', 'approved']),
          createdAt: Timestamp,
          sandbox: Type.Optional(Type.Boolean()),
          policyEnforced: Type.Optional(Type.Boolean()),
          effect: Type.Optional(Type.Literal('allow')),
          code: Type.Optional(Type.String()),
        }),
      },
      check({ body }) {
        if ((body.codeChallenge === undefined) !== (body.codeChallengeMethod === undefined))
          return badRequest('codeChallenge and codeChallengeMethod come as a pair');
        if (deps.config.requirePkce && body.codeChallenge === undefined)
          return badRequest('codeChallenge is required (PKCE, RFC 7636)');
        if (body.redirectUri !== undefined && !parseRedirectUri(body.redirectUri, { allowHttp }))
          return badRequest(
            `redirectUri must be https, ${allowHttp ? 'http' : 'http to a loopback host'} or a private-use scheme with a dot (com.example.app:/cb), and have no fragment`,
          );
        return (
          faultOfTokenSize(deps.config, { ...body, audience: body.audience ?? null }) ??
          faultOfDuration(body.expiresIn ?? DEFAULT_GRANT_LIFE)
        );
      },
      handle: async ({ caller, body }) => {
        const { agentId, principalId, scopes, expiresIn = DEFAULT_GRANT_LIFE } = body;
        const outcome = await requestAuthorization(deps, caller, {
          agentId,
          principalId,
          scopes,
          redirectUri: body.redirectUri ?? null,
          state: body.state ?? null,
          audience: body.audience ?? null,
          grantSeconds: durationSeconds(expiresIn),
          codeChallenge: body.codeChallenge ?? null,
        });
        return created(outcome, (request) => ({
          authRequestId: request.id,
          consentUrl: `${deps.baseUrl()}/consent?req=${request.id}`,
          expiresAt: request.expiresAt,
          agentId,
          principalId,
          scopes,
          expiresIn,
          status: request.allowedByPolicy ? 'approved' : 'pending',
          createdAt: request.createdAt,
          ...(request.sandbox && { sandbox: true }),
          ...(request.allowedByPolicy && { policyEnforced: true, effect: 'allow' }),
          ...(request.code !== null && { code: request.code }),
        }));
      },
    }),
  ];
}
