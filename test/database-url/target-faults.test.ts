import fc from 'fast-check';
import { expect, test } from 'vitest';
import { faultsOf } from '../db/faults-of.ts';

test.each([
  ['target_session_attrs=read-only', 'target_session_attrs must be any, read-write or primary'],
  ['target_session_attrs=standby', 'target_session_attrs must be any, read-write or primary'],
  ['target_session_attrs=prefer-standby', 'target_session_attrs must be any, read-write or primary'],
  ['channel_binding=require', /^channel_binding must be disable or prefer: .* sslmode=verify-full/],
  ['require_auth=scram-sha-256', 'require_auth cannot be honoured'],
  ['requirepeer=postgres', 'requirepeer cannot be honoured'],
  ['gssencmode=require', 'gssencmode must be disable or prefer'],
  ['krbsrvname=postgres', 'krbsrvname cannot be honoured'],
  ['gsslib=gssapi', 'gsslib cannot be honoured'],
  ['gssdelegation=1', 'gssdelegation must be 0'],
  ['passfile=/hunter2', 'passfile cannot be honoured'],
  ['service=hunter2', 'service cannot be honoured'],
  ['sslcrldir=/hunter2', 'sslcrldir cannot be honoured'],
  ['sslcertmode=require', 'sslcertmode must be disable or allow'],
  ['sslkeylogfile=/hunter2', 'sslkeylogfile cannot be honoured'],
  ['client_encoding=LATIN1', 'client_encoding must be UTF8 or auto'],
  ['replication=database', 'replication must be false'],
  ['min_protocol_version=3.2', 'min_protocol_version must be 3.0'],
  ['keepalives_idle=hunter2', 'keepalives_idle must be a whole number'],
  ['connect_timeout=hunter2', 'connect_timeout must be a whole number'],
  ['sslmode=hunter2', 'sslmode must be disable, allow, prefer, require, verify-ca, or verify-full'],
  ['sslmode=', 'sslmode must be disable, allow, prefer, require, verify-ca, or verify-full'],
  ['sslnegotiation=direct', 'sslnegotiation=direct needs sslmode=require, verify-ca or verify-full'],
  ['sslmode=require&sslrootcert=system', 'sslrootcert=system needs sslmode=verify-full'],
  ['ssl_min_protocol_version=1.2', 'ssl_min_protocol_version must be TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3'],
  ['ssl_max_protocol_version=TLSv1.1', 'ssl_max_protocol_version must not be below'],
  ['sslrootcert=/nowhere/hunter2', 'sslrootcert must be the path of a file that can be read (ENOENT)'],
  ['sslcrl=/', 'sslcrl must be the path of a file that can be read (EISDIR)'],
  ['prepare=maybe', 'prepare must be true or false'],
  ['load_balance_hosts=yes', 'load_balance_hosts must be disable or random'],
  [
    'statement_timeout=hunter2',
    /^statement_timeout is no parameter of libpq; .* options=-c statement_timeout=value/,
  ],
  ['toString=hunter2', 'toString is no parameter of libpq'],
  ['hun%20ter=hunter2', 'a parameter has a name that is none of libpq'],
  ['host=a,b&port=1,2,3', 'port must be one port, or as many as there are hosts'],
  ['host=a,b&hostaddr=10.0.0.1', 'hostaddr must name as many hosts as host'],
  ['hostaddr=db', 'hostaddr must be an IP address'],
  ['host=a/b', 'host must be a name, an address or the directory of a socket'],
  ['port=0', 'port must be a number from 1 to 65535'],
  ['port=65536', 'port must be a number from 1 to 65535'],
  ['password', 'must be a URL with name=value pairs behind the "?"'],
  ['password=hunter2%', 'a parameter must be percent-encoded UTF-8'],
  ['password=hunter2%00', 'a parameter must be percent-encoded UTF-8'],
  ['password=hunter2%ff', 'a parameter must be percent-encoded UTF-8'],
])('%s', (parameters, expected) => {
  const faults = faultsOf(`postgres://db?${parameters}`);
  expect(faults).toEqual([
    typeof expected === 'string' ? expect.stringContaining(expected) : expect.stringMatching(expected),
  ]);
  expect(faults.join()).not.toMatch(/hunter2/);
});

test.each([
  'hunter2',
  'db.example.com',
  'mysql://me:hunter2@db/x',
  'mysql://me:hunter2@db/x?a=b',
  'postgres:me:hunter2@db/x?a=b',
  'postgres://me:hunt@er2@db/x',
  'postgres://me:hun/ter2@db/x?hunter2=1',
  'postgres://me:hunter2/3@db/x?a=hunter2',
  'postgres://me:hunter2@db/x y',
  'postgres://me:hunter2@db/x\n',
  'postgres://me:hunter2@db:x/x',
  'postgres://me:hunter2@::1/x',
  'postgres://me:hunter2@[::1/x',
  'postgres://me:hunter2@[]/x',
  'postgres://me:hunter2@[::1]x/x',
  'host=db hunter2',
  "host=db password='hunter2",
  '=hunter2',
])('no connection string: %s', (text) => {
  const faults = faultsOf(text);
  expect(faults).toEqual([expect.stringMatching(/^must be /)]);
  expect(faults.join()).not.toMatch(/hunt|er2/);
});

test('all are told together', () => {
  expect(faultsOf('postgres://db:0?sslmode=x&channel_binding=require&work_mem=4MB&sslkey=/nowhere')).toEqual(
    ['sslmode ', 'channel_binding ', 'work_mem ', 'port ', 'sslkey ', 'sslcert '].map((name) =>
      expect.stringMatching(`^${name}`),
    ),
  );
});

test('whatever is written, it is understood or refused by name', () => {
  const piece = fc.constantFrom(
    'postgres://',
    'a',
    '@',
    ':',
    '/',
    '?',
    '&',
    '=',
    '[',
    ']',
    '%',
    '%41',
    ',',
    "'",
    '\\',
    ' ',
    'host',
    'port=',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
      expect(faultsOf(pieces.join(''))).toSatisfy((faults: string[]) =>
        faults.every((one) => / must | is no | has /.test(` ${one}`)),
      );
    }),
  );
});
