import { generateKeyPair, importJWK, type JWTPayload, SignJWT } from 'jose';
import type { RefusableOperation } from '../../src/label-values.ts';
import { createSealer } from '../../src/secrets/sealing.ts';
import type { Party } from '../support/flow.ts';
import { SECRET_KEY, type TestService } from '../support/service.ts';

export type Send = (path: string, body?: unknown, key?: string, method?: string) => Promise<unknown>;
type Case = (send: Send) => Promise<unknown>;

/**
 * One request for each reason of each operation, but for the two that every operation has: `working` has the requests to send
 * while the database works badly. `grantToken` is one of `party`, and the service delegates one level deep.
 */
export function refusalCases(service: TestService, party: Party, stranger: Party, grantToken: string) {
  const manage = (method: string, path: string, body?: unknown, key = party.key) =>
    service.request(method, path, { key, body });
  const suspendedAgent = async (work: (agentId: string) => Promise<unknown>): Promise<string> => {
    const agentId = await party.newAgent();
    await work(agentId);
    await manage('PATCH', `/v1/agents/${agentId}`, { status: 'suspended' });
    return agentId;
  };
  const partsOf = (token: string): [Record<string, unknown>, JWTPayload] => {
    const [header = {}, claims = {}] = token
      .split('.')
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
    return [header, claims];
  };
  /** A token like `token`, with other claims, signed by the service's own key or by a strange one. */
  async function forge(
    token: string,
    own: boolean,
    changes: { kid?: string; iss?: string },
  ): Promise<string> {
    const [header, claims] = partsOf(token);
    const { kid = String(header['kid']), ...others } = changes;
    const [row] = await service.database
      .sql`select sealed_private from signing_keys where kid = ${String(header['kid'])}`;
    const opened = () =>
      createSealer(Buffer.from(SECRET_KEY, 'base64')).open(row?.['sealed_private'], String(header['kid']));
    const key = own
      ? await importJWK(JSON.parse(opened()), 'RS256')
      : (await generateKeyPair('RS256')).privateKey;
    return new SignJWT({ ...claims, ...others })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid })
      .sign(key);
  }
  const ask = (fields: object = {}) => ({
    agentId: party.agentId,
    principalId: 'user_1',
    scopes: ['calendar:read'],
    ...fields,
  });
  const exchange = (send: Send, code: string, fields: object = {}) =>
    send('/v1/token', { code, agentId: party.agentId, ...fields });
  const refresh = (send: Send, refreshToken: string, fields: object = {}) =>
    send('/v1/token/refresh', { refreshToken, agentId: party.agentId, ...fields });
  const delegate = (send: Send, parentGrantToken: string, fields: object = {}) =>
    send('/v1/grants/delegate', {
      parentGrantToken,
      subAgentId: party.agentId,
      scopes: ['calendar:read'],
      ...fields,
    });
  const expireRequest = async (id: string) => {
    await service.database.sql`update authorization_requests
    set expires_at = now() - interval '1 s', code_expires_at = now() - interval '1 s' where id = ${id}`;
  };
  const expireGrant = async (id: string) => {
    await service.database.sql`update grants set expires_at = now() where id = ${id}`;
    await service.database.sql`update tokens set expires_at = now() where grant_id = ${id}`;
  };

  /** What makes a token invalid, for the operations that say what a token is worth. */
  const tokens = (
    present: (send: Send, token: string, key?: string) => Promise<unknown>,
  ): Record<string, Case> => ({
    malformed: (send) => present(send, 'not.a.token'),
    bad_signature: async (send) => present(send, await forge((await party.grant()).grantToken, false, {})),
    unknown_key: async (send) =>
      present(send, await forge((await party.grant()).grantToken, false, { kid: 'nobody' })),
    wrong_issuer: async (send) =>
      present(send, await forge((await party.grant()).grantToken, true, { iss: 'https://other.example' })),
    async expired(send) {
      const { grantToken, grantId } = await party.grant();
      await expireGrant(grantId);
      await present(send, grantToken);
    },
    async revoked(send) {
      const { grantToken, grantId } = await party.grant();
      await manage('DELETE', `/v1/grants/${grantId}`);
      await present(send, grantToken);
    },
    async not_found(send) {
      const { grantToken, grantId } = await party.grant();
      await service.database.sql`delete from tokens where grant_id = ${grantId}`;
      await present(send, grantToken);
    },
    other_developer: async (send) => present(send, (await party.grant()).grantToken, stranger.key),
    async agent_suspended(send) {
      let token = '';
      await suspendedAgent(async (agentId) => {
        token = (await party.grant({ agentId })).grantToken;
      });
      await present(send, token);
    },
  });
  const introspect = (send: Send, token: string, key?: string) =>
    send('/oauth/introspect', new URLSearchParams({ token }), key);

  /** One request for each reason of each operation; those that every operation has are below. */
  const cases: Record<RefusableOperation, Record<string, Case>> = {
    authorize: {
      unknown_agent: (send) => send('/v1/authorize', ask({ agentId: 'ag_nobody' })),
      agent_suspended: async (send) =>
        send('/v1/authorize', ask({ agentId: await suspendedAgent(async () => undefined) })),
      scope_not_registered: async (send) =>
        send('/v1/authorize', ask({ agentId: await party.newAgent({ scopes: ['mail:read'] }) })),
      async policy_denied(send) {
        await manage('POST', '/v1/policies', { name: 'No', effect: 'deny', principalId: 'user_denied' });
        await send('/v1/authorize', ask({ principalId: 'user_denied' }));
      },
      bad_request: (send) => send('/v1/authorize', {}),
    },
    exchange: {
      unknown_agent: async (send) => exchange(send, await party.consent(), { agentId: 'ag_nobody' }),
      async agent_suspended(send) {
        let code = '';
        const agentId = await suspendedAgent(async (id) => {
          code = await party.consent({ agentId: id });
        });
        await exchange(send, code, { agentId });
      },
      unknown_code: (send) => exchange(send, 'no-such-code'),
      wrong_agent: async (send) => exchange(send, await party.consent(), { agentId: await party.newAgent() }),
      async code_used(send) {
        const code = await party.consent();
        await party.exchange(code);
        await exchange(send, code);
      },
      async code_expired(send) {
        const { authRequestId } = await party.authorize();
        const { body } = await manage('POST', `/v1/consent/${authRequestId}/approve`);
        await expireRequest(authRequestId);
        await exchange(send, body.code);
      },
      wrong_verifier: async (send) => exchange(send, await party.consent(), { codeVerifier: 'v'.repeat(43) }),
      bad_request: (send) => send('/v1/token', {}),
    },
    refresh: {
      unknown_agent: async (send) =>
        refresh(send, (await party.grant()).refreshToken, { agentId: 'ag_nobody' }),
      async agent_suspended(send) {
        let token = '';
        const agentId = await suspendedAgent(async (id) => {
          token = (await party.grant({ agentId: id })).refreshToken;
        });
        await refresh(send, token, { agentId });
      },
      unknown_token: (send) => refresh(send, 'no-such-token'),
      wrong_agent: async (send) =>
        refresh(send, (await party.grant()).refreshToken, { agentId: await party.newAgent() }),
      async token_used(send) {
        const { refreshToken } = await party.grant();
        await manage('POST', '/v1/token/refresh', { refreshToken, agentId: party.agentId });
        await refresh(send, refreshToken);
      },
      async grant_revoked(send) {
        const { refreshToken, grantId } = await party.grant();
        await manage('DELETE', `/v1/grants/${grantId}`);
        await refresh(send, refreshToken);
      },
      async grant_expired(send) {
        const { refreshToken, grantId } = await party.grant();
        await expireGrant(grantId);
        await refresh(send, refreshToken);
      },
      bad_request: (send) => send('/v1/token/refresh', {}),
    },
    verify: {
      ...tokens((send, token, key) => send('/v1/tokens/verify', { token }, key)),
      bad_request: (send) => send('/v1/tokens/verify', {}),
    },
    delegate: {
      invalid_parent_token: (send) => delegate(send, 'not.a.token'),
      other_developer: async (send) => delegate(send, (await stranger.grant()).grantToken),
      async parent_not_active(send) {
        const { grantToken, grantId } = await party.grant();
        await manage('DELETE', `/v1/grants/${grantId}`);
        await delegate(send, grantToken);
      },
      unknown_agent: async (send) =>
        delegate(send, (await party.grant()).grantToken, { subAgentId: 'ag_nobody' }),
      agent_suspended: async (send) =>
        delegate(send, (await party.grant()).grantToken, {
          subAgentId: await suspendedAgent(async () => undefined),
        }),
      scope_not_held: async (send) =>
        delegate(send, (await party.grant()).grantToken, { scopes: ['mail:send'] }),
      async depth_exceeded(send) {
        const child = await party.delegate((await party.grant()).grantToken);
        await delegate(send, child.grantToken);
      },
      bad_request: (send) => send('/v1/grants/delegate', {}),
    },
    consent: {
      unknown_request: (send) => send('/v1/consent/areq_nobody/approve'),
      async already_decided(send) {
        const { authRequestId } = await party.authorize();
        await manage('POST', `/v1/consent/${authRequestId}/deny`);
        await send(`/v1/consent/${authRequestId}/approve`);
      },
      async request_expired(send) {
        const { authRequestId } = await party.authorize();
        await expireRequest(authRequestId);
        await send(`/consent?req=${authRequestId}`, undefined, undefined, 'GET');
      },
      not_sandbox: async (send) => send(`/v1/authorize/${(await party.authorize()).authRequestId}/approve`),
      bad_request: (send) => send('/consent?req=1&req=2', undefined, undefined, 'GET'),
    },
    introspect: {
      ...tokens(introspect),
      bad_request: (send) => send('/oauth/introspect', new URLSearchParams()),
    },
  };

  /** A request of each operation that reads or writes agents. */
  const working: Record<RefusableOperation, Case> = {
    authorize: (send) => send('/v1/authorize', ask()),
    exchange: (send) => exchange(send, 'no-such-code'),
    refresh: (send) => refresh(send, 'no-such-token'),
    verify: (send) => send('/v1/tokens/verify', { token: grantToken }),
    delegate: (send) => delegate(send, grantToken),
    consent: (send) => send('/v1/consent/areq_nobody/approve'),
    introspect: (send) => introspect(send, grantToken),
  };

  return { cases, working };
}
