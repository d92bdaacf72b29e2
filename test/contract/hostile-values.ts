/** What hostile requests are made of. */

const words = (text: string): string[] => text.split(' ');
const nested = (open: string, inside: string, close: string, levels: number) =>
  open.repeat(levels) + inside + close.repeat(levels);

/** JSON texts, and some that are none. */
export const FRAGMENTS: readonly string[] = [
  '',
  '" "',
  '"\t"',
  '1 2',
  '"\'; drop table agents;--"',
  ...words('null true false 0 -1 -0 1.5 1e308 1e999 -1e999 9007199254740993'),
  ...words(String.raw`"" "\u0000" "a\u0000b" "\ud800" "\udc00x" "\u202eabc" {"a\u0000":1} "\x"`),
  ...words('"__proto__" "constructor" "toString" "%00" "../../etc/passwd" "javascript:alert(1)"'),
  ...words('"9999999999d" "0s" "2020-13-45T99:99:99Z" "+275760-09-13" "0000-01-01" "S256" "active"'),
  ...words('[] {} [[]] [null] ["a",1] {"0":"a"} {"length":1} {"__proto__":{"isAdmin":true}}'),
  ...words('{"constructor":{"prototype":{"isAdmin":true}}}'),
  ...words('tru 01 NaN undefined \'x\' " [1,] {"a":1,} {a:1} \u{FEFF}1'),
  '"\u{1F468}\u{200D}\u{1F469}"',
  JSON.stringify('\u{e9}'.repeat(250)),
  JSON.stringify(Array(101).fill('s')),
  ...[257, 600, 2_100, 17_000, 70_000].map((length) => JSON.stringify('x'.repeat(length))),
  ...[29, 31, 33, 3_000].flatMap((levels) => [
    nested('[', '', ']', levels),
    nested('{"a":', '1', '}', levels),
  ]),
];

/** Names of members, inside the quotes. */
export const NAMES: readonly string[] = [
  ...['', ' ', '\u{e9}'],
  ...words(String.raw`__proto__ constructor prototype toString \u0000 developerId plan mode id`),
];

/** As they stand in a URL. */
export const IDS: readonly string[] = [
  ...words(
    "% %zz %00 a%00b %ff %c0%80 %ed%a0%80 . %2e%2e ..%2f.. %2F * ; :id __proto__ constructor null ' \\ {id}",
  ),
  ...words('undefined 0 -1 %20 %0d%0aset-cookie:x %F0%9F%92%A9 ag_00000000000000000000000000'),
  'x'.repeat(6_000),
];

export const QUERIES: readonly string[] = [
  ...words(
    'page=0 page=-1 page=1e3 page=1e999 page=NaN page= page=1.5 page=99999999999999999999 page=1000000',
  ),
  ...words(
    'pageSize=0 pageSize=101 pageSize=1e20 page[]=1 page[a]=1 page=1&page=2 page=%00 status=nope status=',
  ),
  ...words('since=x since=0000-01-01 until=9999-99-99 since=2020-01-01&since=2021-01-01 req=a&req=b a=%ff'),
  ...words('__proto__=1 __proto__[x]=1 constructor=1 constructor[prototype]=1 % %zz=%zz &&& = ?'),
  ...words('grantId= grantId=%00 jti=%ed%a0%80 unacknowledged=maybe'),
  `q=${'x'.repeat(4_000)}`,
  Array.from({ length: 1_500 }, (_, n) => `k${n}`).join('&'),
];

const header = (name: string, ...texts: string[]) => texts.map((text) => [name, text] as const);

export const HEADERS: readonly (readonly [name: string, text: string])[] = [
  ...header('x-request-id', '', ' ', 'x'.repeat(129), 'x'.repeat(9_000), '\u{e9}', '\t'),
  ...header('idempotency-key', '', 'x'.repeat(256), '\u{e9}', '"'),
  ...header(
    'content-type',
    '',
    'text/plain',
    'application/json; charset=utf-16',
    'multipart/form-data',
    ';;',
  ),
  ...header('content-encoding', 'gzip', 'deflate', 'br', 'identity', 'x'),
  ...header('authorization', '', 'Bearer', 'Bearer ', 'Basic eDp5', 'Bearer \u{e9}', 'Bearer a b'),
  ...header('authorization', `Bearer ${'x'.repeat(600)}`),
  ...header('accept', 'application/xml', '*/*;q=0', ''),
  ...header('x-http-method-override', 'DELETE'),
  ...header('x-forwarded-for', "'; drop table agents;--"),
  ...header('x-forwarded-proto', '\u{e9}'),
  ...header('host', 'evil.example:99999', ''),
  ...header('traceparent', '00-zz-zz-zz'),
  ...header('tracestate', 'x'.repeat(1_000)),
  ...header('baggage', '=,=;=,%zz=%zz'),
  ...header('cookie', '__proto__=1; constructor=1'),
  ...header('origin', 'null'),
  ...header('if-none-match', '*'),
  ...header('range', 'bytes=0-1,5-'),
  ...header('__proto__', 'x'),
  ...header('constructor', 'x'),
];
