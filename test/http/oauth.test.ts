import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { AuthenticationError, ServiceError } from '../../src/errors.ts';
import { clientKeyOf, oauthRefusal } from '../../src/http/oauth.ts';
import { OAUTH_CHALLENGE } from '../../src/oauth-errors.ts';

const KEY = 'gx_live_a-b_c';
const from = (authorization: string | undefined, times = 1) => ({
  headers: authorization === undefined ? {} : { authorization },
  rawHeaders: Array.from({ length: times }, () => ['Authorization', authorization ?? '']).flat(),
});
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

test.each([
  ['Bearer', `Bearer ${KEY}`, KEY],
  ['Basic with a user', basic(`gateway:${KEY}`), KEY],
  ['Basic without a user', basic(`:${KEY}`), KEY],
  ['Basic in another case', basic(`gateway:${KEY}`).replace('Basic', 'bAsIc'), KEY],
  // As oauth4webapi and openid-client write it (RFC 6749 §2.3.1).
  ['Basic, form-encoded', basic('gateway:gx%5Flive%5Fa%2Db%5Fc'), KEY],
  ['a key with a colon', basic('gateway:a:b'), 'a:b'],
  ['a key with a bare percent sign', basic('gateway:100%key'), '100%key'],
])('the key in %s', (_, header, token) => {
  expect(clientKeyOf(from(header), 'api_key')).toEqual({
    token,
    hash: createHash('sha256').update(token).digest(),
  });
});

test.each([
  ['nothing', undefined],
  ['another scheme', 'Digest abc'],
  ['Basic without a colon', basic('gateway')],
  ['Basic without a password', basic('gateway:')],
  ['Basic that is no base64', 'Basic !!!'],
  ['Basic with a blank in the key', basic('gateway:a b')],
  ['Basic that is too long', basic(`gateway:${'a'.repeat(8192)}`)],
])('no key in %s', (_, header) => {
  expect(() => clientKeyOf(from(header), 'api_key')).toThrow(AuthenticationError);
});

test('two Authorization headers are refused, of either scheme', () => {
  for (const header of [`Bearer ${KEY}`, basic(`gateway:${KEY}`)])
    expect(() => clientKeyOf(from(header, 2), 'api_key')).toThrow('more than one Authorization header');
});

test.each([
  ['BAD_REQUEST', 400, 'invalid_request'],
  ['UNAUTHORIZED', 401, 'invalid_client'],
  ['RATE_LIMITED', 429, 'temporarily_unavailable'],
  ['INTERNAL_ERROR', 500, 'server_error'],
  ['SERVICE_UNAVAILABLE', 503, 'temporarily_unavailable'],
] as const)('%s in the form of OAuth', (code, status, error) => {
  expect(oauthRefusal(status, new ServiceError(code, 'why'))).toEqual({
    status,
    json: { error, error_description: 'why' },
    headers: status === 401 ? { 'www-authenticate': OAUTH_CHALLENGE } : {},
  });
});
