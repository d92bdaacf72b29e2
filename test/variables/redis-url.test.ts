import { expect, test } from 'vitest';
import { redisUrl } from '../../src/variables/redis-url.ts';
import { Fault } from '../../src/variables/values.ts';

const sentinel = (host: string, port = 26_379) => ({ host, port });

test.for([
  ['redis://cache', { host: 'cache', port: 6379, db: 0 }],
  ['redis://cache/', { host: 'cache', port: 6379, db: 0 }],
  ['redis://cache:80/15', { host: 'cache', port: 80, db: 15 }],
  ['redis://cache?db=3&family=6', { host: 'cache', port: 6379, db: 3, family: 6 }],
  ['redis://[::1]', { host: '::1', port: 6379, db: 0 }],
  ['redis://[fd00::2]:6380/2', { host: 'fd00::2', port: 6380, db: 2 }],
  ['redis://:s%40crt%3A@cache', { host: 'cache', port: 6379, db: 0, password: 's@crt:' }],
  ['redis://me:a:b@cache', { host: 'cache', port: 6379, db: 0, username: 'me', password: 'a:b' }],
  ['redis://me@cache', { host: 'cache', port: 6379, db: 0, username: 'me', password: '' }],
  [
    'rediss://me:pw@cache.example.com:6380/1',
    { host: 'cache.example.com', port: 6380, db: 1, username: 'me', password: 'pw', tls: {} },
  ],
  ['redis-sentinel://one/main', { sentinels: [sentinel('one')], name: 'main', db: 0 }],
  [
    'redis-sentinel://me:pw@one:1,[::1]:2,three/my%20main?db=4',
    {
      sentinels: [sentinel('one', 1), sentinel('::1', 2), sentinel('three')],
      name: 'my main',
      db: 4,
      username: 'me',
      password: 'pw',
    },
  ],
  [
    'redis-sentinel://:pw@one/main?tls=true&sentinelUsername=us&sentinelPassword=p%26w',
    {
      sentinels: [sentinel('one')],
      name: 'main',
      db: 0,
      password: 'pw',
      sentinelUsername: 'us',
      sentinelPassword: 'p&w',
      tls: {},
      sentinelTLS: {},
      enableTLSForSentinelMode: true,
    },
  ],
  ['redis-sentinel://one/main?tls=false', { sentinels: [sentinel('one')], name: 'main', db: 0 }],
] as const)('%s is understood', ([text, options]) => {
  expect(redisUrl(text)).toEqual(options);
});

test.for([
  'redis://',
  'redis:///1',
  'redis://:6379',
  'redis://cache:0',
  'redis://cache:65536',
  'redis://cache:port',
  'redis://::1',
  'redis://[::1',
  'redis://cache/one',
  'redis://cache/-1',
  'redis://cache/1/2',
  'redis://cache?db=1&db=2',
  'redis://cache?family=5',
  'redis://cache?tls=true',
  'redis://cache?tls_ca=/ca.pem',
  'redis://cache#1',
  'redis://:%zz@cache',
  'redis://one,two',
  ' redis://cache',
  'redis://cache\n',
  'REDIS://cache',
  'redis+unix:///run/redis.sock',
  'redis-sentinel://one',
  'redis-sentinel://one/',
  'redis-sentinel://one,/main',
  'redis-sentinel://one/main/1',
  'redis-sentinel://one/main?db=x',
  'redis-sentinel://one/main?tls=1',
])('%j cannot be honoured', (text) => {
  expect(redisUrl(text)).toEqual(new Fault(expect.stringContaining('redis-sentinel://')));
});
