import { act, prefixed, request, statement, type Tree } from './tree.ts';

const SCOPES = JSON.stringify(['calendar:read']);
const KEY = statement('SELECT developers', 'developers.by_key_hash');
const sign = (grant_id: string) => act('grantex.token.sign', { grant_id });

/** Every request of `runFlow` in order, with its child spans. Ids have the names from the flow. */
export function requestsOfTheFlow(): Tree[] {
  const developer_id = 'developer';
  const first = { agent_id: 'agent', developer_id };
  const grant = { ...first, grant_id: 'grant' };
  const child = { agent_id: 'sub-agent', developer_id, grant_id: 'child grant' };
  const RULES = [
    'rate_spike',
    'high_failure_rate',
    'new_principal',
    'off_hours_activity',
    'unusual_scope_access',
    'cascade_delegation',
  ];
  const registerAgent = request(
    'POST',
    '/v1/agents',
    201,
    KEY,
    statement('BEGIN', 'transaction.begin'),
    statement('SELECT', 'take_turn.lock'),
    statement('INSERT agents', 'agents.insert'),
    statement('COMMIT', 'transaction.commit'),
  );
  return [
    request('POST', '/v1/signup', 201, statement('INSERT developers', 'developers.insert')),
    registerAgent,
    registerAgent,
    request(
      'POST',
      '/v1/webhooks',
      201,
      KEY,
      statement('BEGIN', 'transaction.begin'),
      statement('SELECT', 'take_turn.lock'),
      statement('INSERT webhooks', 'webhooks.insert'),
      statement('COMMIT', 'transaction.commit'),
    ),
    request(
      'POST',
      '/v1/authorize',
      201,
      act(
        'grantex.authorize',
        { ...first, scopes: SCOPES },
        statement('INSERT authorization_requests', 'authorization.create'),
      ),
    ),
    request(
      'POST',
      '/v1/consent/:id/approve',
      200,
      prefixed(first),
      statement('UPDATE authorization_requests', 'consent.decide'),
    ),
    request(
      'POST',
      '/v1/token',
      201,
      act(
        'grantex.token.exchange',
        { ...grant, scopes: SCOPES },
        statement('UPDATE authorization_requests', 'tokens.exchange_code'),
        sign('grant'),
      ),
    ),
    request(
      'POST',
      '/v1/tokens/verify',
      200,
      act('grantex.token.verify', grant, statement('SELECT tokens', 'tokens.states')),
    ),
    request(
      'POST',
      '/v1/token/refresh',
      201,
      act(
        'grantex.token.refresh',
        { ...grant, scopes: SCOPES },
        statement('UPDATE refresh_tokens', 'tokens.refresh'),
        sign('grant'),
      ),
    ),
    request(
      'POST',
      '/v1/grants/delegate',
      201,
      KEY,
      act(
        'grantex.grant.delegate',
        { ...child, scopes: SCOPES },
        statement('INSERT grants', 'grants.delegate'),
        sign('child grant'),
      ),
    ),
    request(
      'POST',
      '/v1/anomalies/detect',
      200,
      KEY,
      act(
        'grantex.anomaly.detect',
        {},
        ...RULES.map((rule) => statement('SELECT agents', `anomalies.${rule}_developers`)),
        statement('INSERT anomalies', 'anomalies.open'),
      ),
    ),
    request(
      'DELETE',
      '/v1/grants/:id',
      204,
      KEY,
      act(
        'grantex.grant.revoke',
        { developer_id, grant_id: 'grant' },
        statement('BEGIN', 'transaction.begin'),
        statement('SELECT grants', 'grants.lock_roots'),
        statement('UPDATE grants', 'grants.revoke_trees'),
        statement('COMMIT', 'transaction.commit'),
      ),
    ),
    request(
      'POST',
      '/v1/tokens/verify',
      200,
      act(
        'grantex.token.verify',
        { ...child, refusal_reason: 'revoked' },
        statement('SELECT tokens', 'tokens.states'),
      ),
    ),
    request(
      'POST',
      '/v1/token',
      400,
      prefixed({ refusal_reason: 'unknown_code' }),
      act(
        'grantex.token.exchange',
        { 'error.type': 'BAD_REQUEST' },
        statement('UPDATE authorization_requests', 'tokens.exchange_code'),
        statement('SELECT authorization_requests', 'tokens.refused_code'),
      ),
    ),
  ];
}
