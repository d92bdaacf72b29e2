import { deflateSync, gzipSync } from 'node:zlib';
import type { Ending } from './raw.ts';

/** Final statuses, in their order. `refused`: 400, which a reset may keep from a client that still writes or is gone. */
type Expected = readonly number[] | 'refused';
export type WireCase = readonly [name: string, bytes: string | Buffer, expected: Expected, ending?: Ending];

/** Were it taken for a request, a developer would be made: that is seen in the database. */
const PAYLOAD = '{"name":"Smuggled"}';
const LENGTH = `Content-Length: ${PAYLOAD.length}`;
const SMUGGLED = `POST /v1/signup HTTP/1.1\r\nHost: x\r\n${LENGTH}\r\n\r\n${PAYLOAD}`;
const CHUNKED = `${PAYLOAD.length.toString(16)}\r\n${PAYLOAD}\r\n0\r\n\r\n`;

const signupAt = (target: string) => `POST ${target} HTTP/1.1\r\nHost: x\r\n${LENGTH}\r\n\r\n${PAYLOAD}`;
const post = (headers: readonly string[], body: string) =>
  [`POST /v1/signup HTTP/1.1`, 'Host: x', ...headers, '', body].join('\r\n');
const postBytes = (headers: readonly string[], body: Buffer) =>
  Buffer.concat([Buffer.from(post([...headers, `Content-Length: ${body.length}`], '')), body]);
const start = (line: string, ...headers: readonly string[]) =>
  `${[line, 'Host: x', ...headers].join('\r\n')}\r\n\r\n`;
const get = (target: string, ...headers: readonly string[]) => start(`GET ${target} HTTP/1.1`, ...headers);

const FRAMING: readonly WireCase[] = [
  ['both lengths', post([LENGTH, 'Transfer-Encoding: chunked'], CHUNKED), [400]],
  ['both lengths, the other way round', post(['Transfer-Encoding: chunked', LENGTH], CHUNKED), [400]],
  ['CL.TE', post(['Content-Length: 4', 'Transfer-Encoding: chunked'], `0\r\n\r\n${SMUGGLED}`), [400]],
  ['the same length twice', post([LENGTH, LENGTH], PAYLOAD), [400]],
  ['two lengths', post(['Content-Length: 0', LENGTH], SMUGGLED), [400]],
  ['a list of lengths', post(['Content-Length: 19, 19'], PAYLOAD), [400]],
  ...['+19', '-1', '0x13', '1e1', '19.0', '', 'x', '99999999999999999999'].map(
    (length): WireCase => [`the length "${length}"`, post([`Content-Length: ${length}`], PAYLOAD), [400]],
  ),
  ...[
    'xchunked',
    'chunked, identity',
    'chunked, chunked',
    'identity',
    'gzip',
    '\x0bchunked',
    '"chunked"',
  ].map(
    (coding): WireCase => [
      `the transfer coding ${JSON.stringify(coding)}`,
      post([`Transfer-Encoding: ${coding}`], CHUNKED),
      [400],
    ],
  ),
  ['two transfer codings', post(['Transfer-Encoding: chunked', 'Transfer-Encoding: x'], CHUNKED), [400]],
  ['a blank before the colon', post(['Transfer-Encoding : chunked'], CHUNKED), [400]],
  ['a folded header', post(['Transfer-Encoding:', ' chunked'], CHUNKED), [400]],
  ['a folded first header', `POST /v1/signup HTTP/1.1\r\n Host: x\r\n${LENGTH}\r\n\r\n${PAYLOAD}`, [400]],
  ['line feeds alone', SMUGGLED.replaceAll('\r\n', '\n'), [400]],
  ['a line feed alone in a header', post(['X: y\nTransfer-Encoding: chunked'], CHUNKED), [400]],
  ['a carriage return alone', post(['X: y\rTransfer-Encoding: chunked'], CHUNKED), [400]],
  ['a NUL in a header', post(['X: a\0b', LENGTH], PAYLOAD), [400]],
  ['a header without a colon', post(['nonsense', LENGTH], PAYLOAD), [400]],
  ['a header without a name', post([': x', LENGTH], PAYLOAD), [400]],
  ['a blank in a header name', post(['X Y: z', LENGTH], PAYLOAD), [400]],
];

const CHUNKS: readonly WireCase[] = (
  [
    ['a size that is no number', `zz\r\n${PAYLOAD}\r\n0\r\n\r\n`],
    ['a negative size', `-13\r\n${PAYLOAD}\r\n0\r\n\r\n`],
    ['a size beyond all numbers', `fffffffffffffffff\r\n${PAYLOAD}\r\n0\r\n\r\n`],
    ['0x before the size', `0x13\r\n${PAYLOAD}\r\n0\r\n\r\n`],
    ['more than the size says', `3\r\n${PAYLOAD}\r\n0\r\n\r\n`],
    ['line feeds alone', CHUNKED.replaceAll('\r\n', '\n')],
    ['an extension without end', `13;${'x'.repeat(100_000)}\r\n${PAYLOAD}\r\n0\r\n\r\n`],
    ['trailers without end', `13\r\n${PAYLOAD}\r\n0\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`],
  ] as const
).map(([name, body]) => [`chunks: ${name}`, post(['Transfer-Encoding: chunked'], body), [400]]);

const LENGTHS: readonly WireCase[] = [
  ['less body than said', post(['Content-Length: 500'], PAYLOAD), 'refused', 'end behind'],
  ['no body at all', post(['Content-Length: 19'], ''), 'refused', 'end behind'],
  ['chunks without end', post(['Transfer-Encoding: chunked'], CHUNKED.slice(0, -5)), 'refused', 'end behind'],
  ['more body than said', post(['Content-Length: 5'], PAYLOAD), [400]],
  ['headers without end', `GET /health/live HTTP/1.1\r\nHost: x\r\nX: y`, 'refused', 'end behind'],
  ['nothing', '', 'refused', 'end behind'],
  ['a body over the limit', post(['Content-Length: 1000000'], `"${'x'.repeat(999_998)}"`), [400]],
  [
    'a body over the limit, said but not sent',
    post(['Content-Length: 1000000000000'], ''),
    // The second is for the end in the middle of the body.
    [400, 400],
    'end after',
  ],
  [
    'chunks over the limit',
    post(['Transfer-Encoding: chunked'], `${`ffff\r\n${'x'.repeat(0xffff)}\r\n`.repeat(20)}0\r\n\r\n`),
    [400],
  ],
];

const SIZES: readonly WireCase[] = [
  ['a header of 1 MB', get('/health/live', `X: ${'y'.repeat(1_000_000)}`), 'refused'],
  ['a header name of 1 MB', get('/health/live', `${'y'.repeat(1_000_000)}: x`), 'refused'],
  [
    '1 MB of headers',
    get('/health/live', ...Array.from({ length: 50_000 }, (_, n) => `X-${n}: ${n}`)),
    'refused',
  ],
  ['a URL of 20 KB', get(`/v1/consent/${'x'.repeat(20_000)}`), [400]],
  ['a URL of 1 MB', get(`/v1/consent/${'x'.repeat(1_000_000)}`), 'refused'],
  ['a URL of 10 KB', get(`/v1/consent/${'x'.repeat(10_000)}`), [404]],
  ['a method of 1 MB', start(`${'G'.repeat(1_000_000)} / HTTP/1.1`), 'refused'],
];

const LINES: readonly WireCase[] = [
  ['HTTP/0.9', 'GET /health/live\r\n\r\n', [400]],
  ...['HTTP/2.0', 'HTTP/9.9', 'HTTP/1.1x', 'http/1.1', 'HTTP/11', 'ICE/1.0', 'FTP/1.0'].map(
    (version): WireCase => [`version ${version}`, start(`GET /health/live ${version}`), [400]],
  ),
  ['HTTP/1.0', 'GET /health/live HTTP/1.0\r\n\r\n', [200]],
  ['HTTP/1.0, refused', 'POST /v1/signup HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}', [400]],
  [
    'HTTP/1.0 with chunks',
    SMUGGLED.replace('1.1', '1.0').replace(LENGTH, 'Transfer-Encoding: chunked'),
    [400],
  ],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', [400]],
  ['a TLS greeting', Buffer.from('160301009e0100009a0303', 'hex'), [400]],
  ['a lower-case method', start('get /health/live HTTP/1.1'), [400]],
  ['no Host', 'GET /health/live HTTP/1.1\r\n\r\n', [400]],
  ['two Hosts', get('/health/live', 'Host: y'), [400]],
  ...['FOO', 'G\0T', 'GET,POST', 'PRI', 'DESCRIBE'].map(
    (method): WireCase => [`method ${JSON.stringify(method)}`, start(`${method} /v1/signup HTTP/1.1`), [400]],
  ),
  ...['TRACE', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'PURGE', 'SEARCH', 'MKCOL', 'LINK'].map(
    (method): WireCase => [`method ${method}`, start(`${method} /v1/signup HTTP/1.1`), [404]],
  ),
  ['CONNECT', start('CONNECT evil.example:443 HTTP/1.1'), [400]],
  ['CONNECT with a request behind', start('CONNECT evil.example:443 HTTP/1.1') + SMUGGLED, [400]],
  ['CONNECT to a path', start('CONNECT /v1/signup HTTP/1.1'), [400]],
  ['rubbish behind a request', `${get('/health/live')}nonsense\r\n\r\n`, [200]],
  ['a body on a GET', `${get('/health/live', 'Content-Length: 5')}hello`, [200]],
  [
    'a request as the body of a GET',
    `${get('/health/live', `Content-Length: ${SMUGGLED.length}`)}${SMUGGLED}`,
    [200],
  ],
  ['fifty requests at once', get('/v1/consent/x').repeat(50), Array(50).fill(404)],
];

const TARGETS: readonly WireCase[] = [
  ...[
    '/health/li\0ve',
    '/health/li\xe9ve',
    '/health/li ve',
    '/health/li\tve',
    '/health\x7f',
    'health',
    '',
  ].map((target): WireCase => [`target ${JSON.stringify(target)}`, get(target), [400]]),
  ...['%', '%zz', '%c0%af', '%ff', '%ed%a0%80', '%uD800', '%0'].map(
    (id): WireCase => [`percent-encoding ${id}`, get(`/v1/consent/${id}`), [400]],
  ),
  ...[
    '/v1/consent/%00',
    '/v1/consent/%2e%2e%2fx',
    '/../../etc/passwd',
    '//',
    '/%2e%2e/',
    '/v1//signup',
    '/\\x',
  ].map((target): WireCase => [`target ${target}`, get(target), [404]]),
  ['an absolute target', get('http://evil.example/health/live'), [200]],
  ['an absolute target that is none', get('http://[::bad/health/live'), [404]],
  ['an absolute target without a path', get('http://evil.example'), [200]],
  ['an authority as a target', get('evil.example:80'), [400]],
  ['a star', get('*'), [404]],
  // What a proxy's rule on `/v1/signup` does not see is not that route.
  ...[
    '/V1/Signup',
    '/v1/SIGNUP',
    '/v1/signup/',
    '/v1/signup//',
    '//v1/signup',
    '/v1/./signup',
    '/v1/x/../signup',
    '/v1/%73ignup',
    '/%761/signup',
    '/v1%2Fsignup',
    '/v1/signup%2F',
    '/v1/signup%20',
    '/v1/signup;x=1',
    '/v1\\signup',
    'http://x/v1/x/../signup',
    'http://x/v1/%2e/signup',
    'http://x//v1/signup',
  ].map((target): WireCase => [`another spelling: ${target}`, signupAt(target), [404]]),
  ...['/v1/signup#x', '/v1/signup?#', '/v1\\signup#', 'http://x/v1/signup#', 'http:\\\\x\\v1\\signup'].map(
    (target): WireCase => [`no target: ${target}`, signupAt(target), [400]],
  ),
  ...[
    '/Health',
    '/health/',
    '/HEALTH/live',
    '/health/live/',
    '/metrics/',
    '/Metrics',
    '/%6detrics',
    '/metrics%3f',
  ].map((target): WireCase => [`another spelling: ${target}`, get(target), [404]]),
  ...[
    '/Consent',
    '/consent/',
    '/permissions/',
    '/openapi.json/',
    '/.well-known/JWKS.json',
    '/%68ealth/live',
  ].map((target): WireCase => [`another spelling: ${target}`, get(target), [404]]),
  ['OPTIONS *', start('OPTIONS * HTTP/1.1'), [404]],
];

const bomb = gzipSync(Buffer.alloc(50_000_000));
const BODIES: readonly WireCase[] = [
  ...['gzip', 'GZIP', 'x-gzip', 'gzip, identity', 'gzip, gzip', 'br', 'zstd', 'nonsense', ''].map(
    (coding): WireCase => [
      `content coding "${coding}"`,
      postBytes([`Content-Encoding: ${coding}`], gzipSync(PAYLOAD)),
      [400],
    ],
  ),
  ['deflate', postBytes(['Content-Encoding: deflate'], deflateSync(PAYLOAD)), [400]],
  ['a zip bomb', postBytes(['Content-Encoding: gzip'], bomb), [400]],
  ['a zip bomb that says nothing of it', postBytes([], bomb), [400]],
  ...['utf-16', 'utf-7', 'iso-8859-1', '"utf-16le"', 'x'].map(
    (charset): WireCase => [
      `charset ${charset}`,
      postBytes([`Content-Type: application/json; charset=${charset}`], Buffer.from(PAYLOAD)),
      [400],
    ],
  ),
  ['UTF-16', postBytes([], Buffer.from(PAYLOAD, 'utf16le')), [400]],
  ['bytes that are no UTF-8', postBytes([], Buffer.from('{"name":"\xff\xfe"}', 'latin1')), [400]],
  ['an over-long encoding', postBytes([], Buffer.from('{"name":"\xc0\xaf"}', 'latin1')), [400]],
  ['an encoded surrogate', postBytes([], Buffer.from('{"name":"\xed\xa0\x80"}', 'latin1')), [400]],
  ['a byte order mark', postBytes([], Buffer.from(`\u{FEFF}${PAYLOAD}`)), [400]],
  ['a form', postBytes(['Content-Type: application/x-www-form-urlencoded'], Buffer.from('name=x')), [400]],
];

const HEADERS: readonly WireCase[] = [
  ['100-continue', post(['Expect: 100-continue', 'Content-Length: 2'], '{}'), [400]],
  [
    '100-continue for a body over the limit',
    post(['Expect: 100-continue', 'Content-Length: 1000000'], ''),
    [400, 400],
    'end after',
  ],
  ['an unknown expectation', post(['Expect: nonsense', 'Content-Length: 2'], '{}'), [400]],
  [
    'an upgrade to WebSocket',
    get('/health/live', 'Connection: Upgrade', 'Upgrade: websocket'),
    [200],
    'ask after',
  ],
  [
    'an upgrade to HTTP/2',
    get('/health/live', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AA'),
    [200],
    'ask after',
  ],
  [
    'an upgrade of a refused request',
    post(['Connection: Upgrade', 'Upgrade: x', 'Content-Length: 2'], '{}'),
    [400],
    'ask after',
  ],
  [
    'two keys',
    get('/v1/me', 'Authorization: Bearer gx_live_one', 'authorization: Bearer gx_live_two'),
    [400],
  ],
  ['the same key twice', get('/v1/me', ...Array(2).fill('Authorization: Bearer gx_live_one')), [400]],
  ['two session tokens', get('/v1/principal/grants', ...Array(2).fill('AUTHORIZATION: Bearer x')), [400]],
  ['two keys on a public route', get('/health/live', ...Array(2).fill('Authorization: Bearer x')), [200]],
  ['headers of the connection', get('/health/live', 'Connection: close, Host, X-Request-Id'), [200]],
];

export const WIRE_CASES: readonly WireCase[] = [
  ...FRAMING,
  ...CHUNKS,
  ...LENGTHS,
  ...SIZES,
  ...LINES,
  ...TARGETS,
  ...BODIES,
  ...HEADERS,
];
