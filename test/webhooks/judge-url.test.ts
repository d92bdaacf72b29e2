import { describe, expect, test } from 'vitest';
import { isPublicAddress } from '../../src/webhooks/address.ts';
import { faultOfUrl, loggableUrl } from '../../src/webhooks/judge-url.ts';

const STRICT = { allowPrivateWebhookHosts: false };
const OPEN = { allowPrivateWebhookHosts: true };

const NOT_PUBLIC: readonly (readonly [string, ...string[]])[] = [
  ['loopback', '127.0.0.1', '127.255.255.254', '::1'],
  ['unspecified and "this network"', '0.0.0.0', '0.1.2.3', '::'],
  ['private', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
  ['link-local, with the metadata of most clouds', '169.254.169.254', '169.254.0.1', 'fe80::1', 'febf::1'],
  ['carrier-grade NAT, with the metadata of one cloud', '100.64.0.1', '100.127.255.255', '100.100.100.200'],
  ['metadata', '168.63.129.16', 'fd00:ec2::254'],
  ['multicast', '224.0.0.1', '239.255.255.255', 'ff02::1', 'ff0e::1'],
  ['broadcast and reserved', '255.255.255.255', '240.0.0.1', '192.0.0.1'],
  ['documentation and benchmarks', '192.0.2.1', '198.51.100.1', '203.0.113.1', '198.18.0.1', '2001:db8::1'],
  ['unique local', 'fc00::1', 'fdff::1'],
  ['site-local of old', 'fec0::1'],
  ['mapped', '::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:a9fe:a9fe'],
  ['compatible', '::127.0.0.1', '::7f00:1'],
  ['translated', '::ffff:0:127.0.0.1', '::ffff:0:a00:1'],
  ['6to4', '2002:7f00:1::', '2002:a00:1::1', '2002:808:808::1'],
  ['Teredo', '2001:0:a00:1::1'],
  ['NAT64', '64:ff9b::127.0.0.1', '64:ff9b::a00:1', '64:ff9b::a9fe:a9fe', '64:ff9b:1::808:808'],
  ['discard and unassigned', '100::1', '4000::1', '5f00::1'],
  ['no address at all', '', 'localhost', '1.2.3', '127.0.0.1 '],
];

describe('addresses', () => {
  test.each(NOT_PUBLIC.map(([what, ...addresses]) => ({ what, addresses })))(
    'not public: $what',
    ({ addresses }) => {
      expect(addresses.filter(isPublicAddress)).toEqual([]);
    },
  );

  test('public', () => {
    const addresses = [
      '8.8.8.8',
      '1.1.1.1',
      '93.184.216.34',
      '172.15.0.1',
      '172.32.0.1',
      '100.63.255.255',
      '100.128.0.1',
    ];
    const six = ['2606:4700:4700::1111', '2a00:1450:4001:800::200e', '::ffff:8.8.8.8', '64:ff9b::808:808'];
    expect([...addresses, ...six].filter((address) => !isPublicAddress(address))).toEqual([]);
  });
});

describe('URLs, as they stand', () => {
  test.each([
    ['https://hooks.example.com'],
    ['https://hooks.example.com:443/in?token=1#x'],
    ['https://hooks.example.com:8443/in'],
    ['https://hooks.example.com:1024/in'],
    ['https://8.8.8.8/in'],
    ['https://[2606:4700:4700::1111]/in'],
    ['https://postgres/in'],
    ['https://localhost.example.com/'],
    ['https://bücher.example/'],
  ])('accepted: %s', (url) => {
    expect(faultOfUrl(url, STRICT)).toBeNull();
  });

  test.each([
    ['http', 'http://hooks.example.com/', 'https'],
    ['another scheme', 'ftp://hooks.example.com/', 'https'],
    ['a file', 'file:///etc/passwd', 'https'],
    ['a script', 'javascript:alert(1)', 'https'],
    ['no scheme', '//hooks.example.com/', 'not a URL'],
    ['blanks', ' https://hooks.example.com/', 'not a URL'],
    ['a line break, which parsers drop', 'https://hooks.exa\nmple.com/', 'not a URL'],
    ['a backslash', 'https://hooks.example.com\\@127.0.0.1/', 'not a URL'],
    ['a user', 'https://me@hooks.example.com/', 'user'],
    ['a password', 'https://:hunter2@hooks.example.com/', 'user'],
    ['a host that looks like a user', 'https://hooks.example.com@127.0.0.1/', 'user'],
    ['the port of HTTP', 'https://hooks.example.com:80/', 'port'],
    ['the port of SSH', 'https://hooks.example.com:22/', 'port'],
    ['the port of mail', 'https://hooks.example.com:25/', 'port'],
    ['the last port below policy', 'https://hooks.example.com:1023/', 'port'],
    ['port 0', 'https://hooks.example.com:0/', 'port'],
    ['localhost', 'https://localhost/', 'this machine'],
    ['localhost in capitals', 'https://LOCALHOST:8443/', 'this machine'],
    ['localhost with a final dot', 'https://localhost./', 'this machine'],
    ['a name below localhost', 'https://a.localhost/', 'this machine'],
    ['loopback', 'https://127.0.0.1/', 'not public'],
    ['loopback, short', 'https://127.1/', 'not public'],
    ['loopback, decimal', 'https://2130706433/', 'not public'],
    ['loopback, octal', 'https://0177.0.0.1/', 'not public'],
    ['loopback, octal in one', 'https://017700000001/', 'not public'],
    ['loopback, hexadecimal', 'https://0x7f.0.0.1/', 'not public'],
    ['loopback, hexadecimal in one', 'https://0x7f000001/', 'not public'],
    ['loopback, with a final dot', 'https://127.0.0.1./', 'not public'],
    ['loopback, full-width', 'https://１２７.０.０.１/', 'not public'],
    ['loopback, circled', 'https://①②⑦.0.0.1/', 'not public'],
    ['loopback, percent-encoded', 'https://%31%32%37.0.0.1/', 'not public'],
    ['zero', 'https://0/', 'not public'],
    ['metadata', 'https://169.254.169.254/latest/meta-data', 'not public'],
    ['metadata, decimal', 'https://2852039166/', 'not public'],
    ['IPv6 loopback', 'https://[::1]/', 'not public'],
    ['IPv6 loopback, long', 'https://[0:0:0:0:0:0:0:1]/', 'not public'],
    ['mapped', 'https://[::ffff:127.0.0.1]/', 'not public'],
    ['mapped, hexadecimal', 'https://[::ffff:7f00:1]/', 'not public'],
    ['6to4', 'https://[2002:7f00:1::]/', 'not public'],
    ['NAT64', 'https://[64:ff9b::10.0.0.1]/', 'not public'],
    ['unique local', 'https://[fd00::1]/', 'not public'],
    ['link-local', 'https://[fe80::1]/', 'not public'],
  ])('refused: %s', (_what, url, reason) => {
    expect(faultOfUrl(url, STRICT)).toContain(reason);
  });

  test('with private hosts allowed: http, any port, any address; still no other scheme and no user', () => {
    for (const url of [
      'http://127.0.0.1:80/',
      'http://localhost:9/',
      'http://[::1]:22/',
      'https://10.0.0.1/',
    ])
      expect(faultOfUrl(url, OPEN)).toBeNull();
    for (const url of ['ftp://localhost/', 'http://me:hunter2@localhost/', 'localhost'])
      expect(faultOfUrl(url, OPEN)).not.toBeNull();
  });
});

test('a URL in the log has no query string, fragment or user', () => {
  expect(loggableUrl('https://me:hunter2@hooks.example.com:8443/in/x?token=hunter2#hunter2')).toBe(
    'https://hooks.example.com:8443/in/x',
  );
});
