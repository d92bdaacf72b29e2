import { userInfo } from 'node:os';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseTarget, type Target } from '../../src/database-url/target.ts';

const SYSTEM_USER = userInfo().username;
const at = (host: string, port = 5432) => ({ host, port });
const socket = (path: string, port = 5432) => ({ path: `${path}/.s.PGSQL.${port}` });

test('what is not written has the defaults of libpq', () => {
  expect(parseTarget('postgres://db')).toEqual({
    hosts: [at('db')],
    loadBalanced: false,
    user: SYSTEM_USER,
    password: '',
    database: SYSTEM_USER,
    applicationName: null,
    options: null,
    tls: {
      mode: 'prefer',
      direct: false,
      ca: null,
      crl: null,
      cert: null,
      key: null,
      passphrase: null,
      minVersion: null,
      maxVersion: null,
      sni: true,
    },
    prepare: null,
    connectTimeoutMs: null,
  });
});

test.each<[string, Partial<Target>]>([
  // Who, where, which.
  ['postgres://u:p@db:5433/x', { hosts: [at('db', 5433)], user: 'u', password: 'p', database: 'x' }],
  ['postgresql://u@db', { hosts: [at('db')], user: 'u', password: '', database: 'u' }],
  ['postgresql://:p@db/x', { user: SYSTEM_USER, password: 'p', database: 'x' }],
  [
    'postgres://u%40b:p%2F%3A%25%C3%BC@d%62/a%20b',
    { hosts: [at('db')], user: 'u@b', password: 'p/:%ü', database: 'a b' },
  ],
  ['postgres://u:a:b?c=d#e&f@db/x', { hosts: [at('db')], user: 'u', password: 'a:b?c=d#e&f', database: 'x' }],
  ['postgres://db/?user=u&password=a%26b&dbname=x', { user: 'u', password: 'a&b', database: 'x' }],
  ['postgres://db?dbname=x', { hosts: [at('db')], database: 'x' }],
  ['postgres://u@db/x?dbname=y', { user: 'u', database: 'y' }],
  // Addresses.
  ['postgres://[::1]/x', { hosts: [at('::1')] }],
  ['postgres://u:p@[2001:db8::7]:5433/x', { hosts: [at('2001:db8::7', 5433)] }],
  ['postgres://[fe80::1%25eth0]/x', { hosts: [at('fe80::1%eth0')] }],
  ['postgres://db/x?hostaddr=10.0.0.7', { hosts: [{ ...at('db'), address: '10.0.0.7' }] }],
  [
    'postgres:///x?hostaddr=::1,10.0.0.7',
    {
      hosts: [
        { ...at('::1'), address: '::1' },
        { ...at('10.0.0.7'), address: '10.0.0.7' },
      ],
    },
  ],
  // Several hosts.
  ['postgres://a:1,b:2/x', { hosts: [at('a', 1), at('b', 2)] }],
  ['postgres://u:p@a,[::1]:7,c/x', { hosts: [at('a'), at('::1', 7), at('c')] }],
  ['postgres:///x?host=a,b&port=1,2', { hosts: [at('a', 1), at('b', 2)] }],
  ['postgres:///x?host=a,b&port=7', { hosts: [at('a', 7), at('b', 7)] }],
  ['postgres:///x?host=a,b&port=,2', { hosts: [at('a'), at('b', 2)] }],
  ['postgres:///x?host=a,/run/pg', { hosts: [at('a'), socket('/run/pg')] }],
  ['postgres://a/x?host=b', { hosts: [at('b')] }],
  // Unix sockets.
  ['postgres://%2Frun%2Fpg/x', { hosts: [socket('/run/pg')] }],
  ['postgres://u:p@%2Frun%2Fpg:5433/x', { hosts: [socket('/run/pg', 5433)] }],
  ['postgres:///x?host=/run/pg/', { hosts: [socket('/run/pg')] }],
  ['postgresql:///x?host=/run/pg&port=5433', { hosts: [socket('/run/pg', 5433)] }],
  ['postgres:///x?host=@pg', { hosts: [socket('@pg')] }],
  // The other form of libpq.
  [
    String.raw`host=a,b port = 1,2  user=u dbname='a b' password='it\'s \\ '`,
    { hosts: [at('a', 1), at('b', 2)], user: 'u', database: 'a b', password: String.raw`it's \ ` },
  ],
  [String.raw`  host=db password=a\ b'c user=u `, { hosts: [at('db')], password: "a b'c", user: 'u' }],
  ["host=db password='' user=u", { password: '', user: 'u', database: 'u' }],
  ["host=/run/pg options='-c search_path=x'", { hosts: [socket('/run/pg')], options: '-c search_path=x' }],
  // The session.
  ['postgres://db?application_name=a%20b&fallback_application_name=c', { applicationName: 'a b' }],
  ['postgres://db?fallback_application_name=c', { applicationName: 'c' }],
  ['postgres://db?application_name=', { applicationName: null }],
  ['postgres://db?options=-c%20work_mem%3D4MB', { options: '-c work_mem=4MB' }],
  ['postgres://db?options=-c%20work_mem=4MB', { options: '-c work_mem=4MB' }],
  ['postgres://db?connect_timeout=3', { connectTimeoutMs: 3000 }],
  ['postgres://db?connect_timeout=0', { connectTimeoutMs: null }],
  ['postgres://db?connect_timeout=-1', { connectTimeoutMs: null }],
  ['postgres://db?prepare=false', { prepare: false }],
  ['postgres://db?prepare=true', { prepare: true }],
  ['postgres://a,b?load_balance_hosts=random', { loadBalanced: true }],
  ['postgres://a,b?load_balance_hosts=disable', { loadBalanced: false }],
])('%s', (text, expected) => {
  expect(parseTarget(text)).toMatchObject(expected);
});

test.each<[string, Partial<Target['tls']>]>([
  ...(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const).map(
    (mode) => [`sslmode=${mode}`, { mode, direct: false }] as [string, Partial<Target['tls']>],
  ),
  ['ssl=true', { mode: 'require' }],
  ['sslrootcert=system', { mode: 'verify-full', ca: null }],
  ['sslmode=require&sslnegotiation=direct', { mode: 'require', direct: true }],
  ['sslnegotiation=postgres', { direct: false }],
  ['ssl_min_protocol_version=TLSv1.3', { minVersion: 'TLSv1.3', maxVersion: null }],
  ['ssl_min_protocol_version=', { minVersion: null }],
  ['ssl_max_protocol_version=TLSv1.2', { minVersion: null, maxVersion: 'TLSv1.2' }],
  ['sslsni=0', { sni: false }],
  ['sslsni=1', { sni: true }],
])('TLS: %s', (parameters, expected) => {
  expect(parseTarget(`postgres://db?${parameters}`).tls).toMatchObject(expected);
});

test.each([
  'target_session_attrs=any',
  'target_session_attrs=read-write',
  'target_session_attrs=primary',
  'channel_binding=disable',
  'channel_binding=prefer',
  'gssencmode=disable',
  'gssencmode=prefer',
  'gssdelegation=0',
  'client_encoding=UTF8',
  'client_encoding=utf-8',
  'client_encoding=auto',
  'keepalives=1&keepalives_idle=30&keepalives_interval=10&keepalives_count=3',
  'tcp_user_timeout=1000',
  'sslcompression=0',
  'sslcertmode=allow',
  'sslcertmode=disable',
  'replication=false',
  'min_protocol_version=3.0&max_protocol_version=latest',
])('changes nothing: %s', (parameters) => {
  expect(parseTarget(`postgres://db?${parameters}`)).toEqual(parseTarget('postgres://db'));
});

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter((one) => !one.includes('\0'));
const host = fc.oneof(
  fc.record({ host: fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()), port: fc.integer({ min: 1, max: 65_535 }) }),
  fc.record({
    path: fc.stringMatching(/^(\/[a-z%?#&= ]{1,9}){1,3}$/),
    port: fc.integer({ min: 1, max: 65_535 }),
  }),
);

test('any target that is written as a URL, or as pairs, is read back', () => {
  fc.assert(
    fc.property(
      fc.array(host, { minLength: 1, maxLength: 4 }),
      fc.record({ user: text, password: text, database: text, application: text, options: text }),
      (hosts, { user, password, database, application, options }) => {
        const expected = {
          hosts: hosts.map((one) => ('path' in one ? socket(one.path, one.port) : one)),
          user,
          password,
          database,
          applicationName: application,
          options,
        };
        const authority = hosts.map((one) => {
          if ('path' in one) return `${encodeURIComponent(one.path)}:${one.port}`;
          return `${one.host.includes(':') ? `[${one.host}]` : one.host}:${one.port}`;
        });
        const encode = encodeURIComponent;
        expect(
          parseTarget(
            `postgres://${encode(user)}:${encode(password)}@${authority}/${encode(database)}?application_name=${encode(application)}&options=${encode(options)}`,
          ),
        ).toMatchObject(expected);

        const pairs = {
          host: hosts.map((one) => ('path' in one ? one.path : one.host)).join(),
          port: hosts.map((one) => one.port).join(),
          user,
          password,
          dbname: database,
          application_name: application,
          options,
        };
        const quote = (value: string) => `'${value.replace(/['\\]/g, String.raw`\$&`)}'`;
        expect(
          parseTarget(
            Object.entries(pairs)
              .map(([name, value]) => `${name}=${quote(value)}`)
              .join(' '),
          ),
        ).toMatchObject(expected);
      },
    ),
  );
});
