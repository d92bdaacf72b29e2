import type { RedisOptions } from 'ioredis';
import { Fault, type Parser } from './values.ts';

const EXPECTED =
  'redis://[user:password@]host[:port][/database], rediss:// for TLS, or redis-sentinel://[user:password@]host[:port],host[:port]/name, with known parameters alone';

/** What may stand behind the question mark. What is not known cannot be honoured, so it is refused. */
const PARAMETERS = {
  server: ['db', 'family'],
  sentinel: ['db', 'family', 'tls', 'sentinelUsername', 'sentinelPassword'],
};
const SENTINEL_PORT = 26_379;
const REDIS_PORT = 6379;

/** Where Redis is, and as whom, in the words of the client. */
export type RedisAddress = Pick<
  RedisOptions,
  | 'host'
  | 'port'
  | 'family'
  | 'username'
  | 'password'
  | 'db'
  | 'tls'
  | 'sentinels'
  | 'name'
  | 'sentinelUsername'
  | 'sentinelPassword'
  | 'sentinelTLS'
  | 'enableTLSForSentinelMode'
>;

/** `REDIS_URL`, as the client takes it. */
export const redisUrl: Parser<RedisAddress> = (text) => {
  const fault = new Fault(EXPECTED);
  // Several hosts are no URL that `URL` could read, so the parts are taken apart here.
  const [, scheme, userinfo, authority = '', path = '', query = ''] =
    /^(rediss?|redis-sentinel):\/\/(?:([^@/?#\s]*)@)?([^@/?#\s]+)(?:\/([^/?#\s]*))?(?:\?([^#\s]*))?$/.exec(
      text,
    ) ?? [];
  if (scheme === undefined) return fault;
  try {
    const sentinel = scheme === 'redis-sentinel';
    const parameters = readParameters(query, sentinel ? PARAMETERS.sentinel : PARAMETERS.server);
    const addresses = authority
      .split(',')
      .map((part) => address(part, sentinel ? SENTINEL_PORT : REDIS_PORT));
    const name = decodeURIComponent(path);
    const [first] = addresses;
    if (first === undefined || (sentinel ? name === '' : addresses.length > 1)) return fault;
    const shared: RedisAddress = {
      ...(userinfo !== undefined && credentials(userinfo)),
      db: database(sentinel ? parameters['db'] : path || parameters['db']),
      ...(parameters['family'] !== undefined && { family: oneOf(parameters['family'], '0', '4', '6') }),
    };
    if (!sentinel) return { ...shared, ...first, ...(scheme === 'rediss' && { tls: {} }) };
    const { tls = 'false', sentinelUsername, sentinelPassword } = parameters;
    return {
      ...shared,
      sentinels: addresses,
      name,
      ...(sentinelUsername !== undefined && { sentinelUsername }),
      ...(sentinelPassword !== undefined && { sentinelPassword }),
      ...(flag(tls) && { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true }),
    };
  } catch {
    // Whatever part it was: the fault must not repeat it, for it may be a secret.
    return fault;
  }
};

function readParameters(query: string, known: readonly string[]): Readonly<Record<string, string>> {
  const parameters = [...new URLSearchParams(query)];
  const names = new Set(parameters.map(([name]) => name));
  if (names.size < parameters.length) throw new Error('a parameter is there twice');
  if (![...names].every((name) => known.includes(name))) throw new Error('a parameter is not known');
  return Object.fromEntries(parameters);
}

/** `host`, `host:port`, `[IPv6]`, `[IPv6]:port`. */
function address(text: string, otherwise: number): { host: string; port: number } {
  // For this scheme `URL` checks the host: a name, an IPv4 address, or an IPv6 address in brackets.
  const { hostname, port } = new URL(`http://${text}`);
  // `URL` leaves out 80, the default port of the scheme.
  const given = /:(\d+)$/.exec(text)?.[1] ?? port;
  return { host: hostname.replace(/^\[|\]$/g, ''), port: given === '' ? otherwise : whole(given, 65_535, 1) };
}

/** `user:password`, `:password` or `user`. */
function credentials(userinfo: string): { username?: string; password?: string } {
  const colon = userinfo.indexOf(':');
  const username = decodeURIComponent(colon < 0 ? userinfo : userinfo.slice(0, colon));
  const password = colon < 0 ? '' : decodeURIComponent(userinfo.slice(colon + 1));
  return { ...(username !== '' && { username, password }), ...(password !== '' && { password }) };
}

const database = (text = '0'): number => whole(text, 1_000_000, 0);

function whole(text: string, max: number, min: number): number {
  const value = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw new Error('not a number in range');
  return value;
}

function oneOf(text: string, ...values: readonly string[]): number {
  if (!values.includes(text)) throw new Error('not one of the values');
  return Number(text);
}

function flag(text: string): boolean {
  if (text !== 'true' && text !== 'false') throw new Error('neither true nor false');
  return text === 'true';
}
