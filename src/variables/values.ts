// What variables may say: one parser for each kind of value.
import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { parseTarget, TargetError } from '../database-url/target.ts';
import { durationSeconds } from '../duration.ts';

/** A parser returns the value or, as `Fault`, what the variable should be. It never repeats the value: it may be a secret. */
export class Fault {
  readonly expected: string;
  constructor(expected: string) {
    this.expected = expected;
  }
}
/** As `Fault`, of a value that has parts: what is wrong with each. */
export class Faults {
  readonly list: readonly string[];
  constructor(list: readonly string[]) {
    this.list = list;
  }
}
export type Parser<T> = (text: string) => T | Fault | Faults;

export const integer =
  (min: number, max: number): Parser<number> =>
  (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : new Fault(`a whole number from ${min} to ${max}`);
  };

export const boolean: Parser<boolean> = (text) =>
  text === 'true' ? true : text === 'false' ? false : new Fault('true or false');

export const string =
  (min: number, max: number): Parser<string> =>
  (text) =>
    text.length >= min && text.length <= max ? text : new Fault(`${min} to ${max} characters`);

/** What an `Authorization` header can carry. */
export const bearerKey =
  (min: number, max: number): Parser<string> =>
  (text) =>
    text.length >= min && text.length <= max && /^[!-~]+$/.test(text)
      ? text
      : new Fault(`${min} to ${max} visible ASCII characters`);

export const url =
  (...protocols: string[]): Parser<string> =>
  (text) =>
    // `URL` would also take blanks around it and a scheme without slashes, which what reads the text later would not.
    /^\w+:\/\/\S+$/.test(text) && URL.canParse(text) && protocols.includes(new URL(text).protocol)
      ? text
      : new Fault(`a URL beginning ${protocols.map((p) => `${p}//`).join(' or ')}`);

export const baseUrl: Parser<string> = (text) => {
  const parsed = url('http:', 'https:')(text);
  if (typeof parsed !== 'string') return parsed;
  const { search, hash, username, password } = new URL(parsed);
  return search || hash || username || password
    ? new Fault('a base URL without user, query and fragment')
    : parsed.replace(/\/+$/, '');
};

/** A connection string of libpq: a URL, or keyword=value pairs. */
export const connectionString: Parser<string> = (text) => {
  try {
    parseTarget(text);
    return text;
  } catch (error) {
    if (error instanceof TargetError) return new Faults(error.faults);
    throw error;
  }
};

/** Seconds, from `<n>s|m|h|d`. */
export const duration =
  (minSeconds: number, maxSeconds: number): Parser<number> =>
  (text) => {
    const seconds = durationSeconds(text);
    return seconds >= minSeconds && seconds <= maxSeconds
      ? seconds
      : new Fault('a duration like 15m, 24h or 30d: <n>s, <n>m, <n>h or <n>d, at most ten years');
  };

export const oneOf =
  <T extends string>(values: readonly T[]): Parser<T> =>
  (text) =>
    values.find((value) => value === text) ?? new Fault(`one of ${values.join(', ')}`);

export const secretKey: Parser<Buffer> = (text) => {
  const bytes = /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0);
  return bytes.length === 32 ? bytes : new Fault('32 bytes in base64 (openssl rand -base64 32)');
};

export const bytes: Parser<number> = (text) => {
  const match = /^(\d{1,9})(b|kb|mb)?$/i.exec(text);
  const unit = { b: 1, kb: 1024, mb: 1024 * 1024 }[(match?.[2] ?? 'b').toLowerCase()] ?? 1;
  const value = match ? Number(match[1]) * unit : 0;
  return value >= 1024 && value <= 10 * 1024 * 1024 ? value : new Fault('a size from 1kb to 10mb, like 64kb');
};

export const trustProxy: Parser<boolean | number | string> = (text) => {
  if (text === 'true') return true;
  if (text === 'false') return false;
  if (/^\d{1,2}$/.test(text)) return Number(text);
  const names = ['loopback', 'linklocal', 'uniquelocal'];
  const isAddress = (part: string) => {
    const [, address = '', prefix = '1'] = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(part) ?? [];
    const bits = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
    return names.includes(part) || (Number(prefix) >= 1 && Number(prefix) <= bits);
  };
  return text.split(',').every((part) => isAddress(part.trim()))
    ? text
    : new Fault('true, false, a number of hops, or addresses of proxies, comma separated');
};

export const origins: Parser<readonly string[]> = (text) => {
  const list = text.split(',').map((part) => part.trim());
  const isOrigin = (part: string) => URL.canParse(part) && new URL(part).origin === part;
  return list.every(isOrigin) ? list : new Fault('origins like https://app.example.com, comma separated');
};

/** `HH:mm`. */
export const timeOfDay: Parser<string> = (text) =>
  /^([01]\d|2[0-3]):[0-5]\d$/.test(text) ? text : new Fault('a time of day from 00:00 to 23:59');

/** @throws when it is not a complete private key */
function canSign(key: JsonWebKey): boolean {
  const { modulusLength = 0, namedCurve } =
    createPrivateKey({ key, format: 'jwk' }).asymmetricKeyDetails ?? {};
  return modulusLength >= 2048 || namedCurve === 'prime256v1';
}

export const signingKeys: Parser<readonly Record<string, unknown>[]> = (path) => {
  const expected = new Fault(
    'the path of a readable private JWKS: {"keys":[…]} of RSA keys of 2048 bits or more, or P-256 keys, with distinct "kid"',
  );
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    const keys = (parsed as { keys?: unknown } | null)?.keys;
    if (!Array.isArray(keys) || keys.length === 0) return expected;
    const usable = keys.every(
      (key: Record<string, unknown> | null) => typeof key?.['kid'] === 'string' && canSign(key as JsonWebKey),
    );
    const distinct = new Set(keys.map((key) => key['kid'])).size === keys.length;
    return usable && distinct ? keys : expected;
  } catch {
    return expected;
  }
};

/** Points per window of one named rate limit. */
export interface RateLimit {
  readonly points: number;
  readonly seconds: number;
}

/** The closed set of limiter names; also the values of the `endpoint` label of `grantex_rate_limited_total`. */
export const LIMITER_NAMES = ['api', 'authorize', 'token', 'refresh', 'verify', 'consent', 'signup'] as const;
export type LimiterName = (typeof LIMITER_NAMES)[number];

const DEFAULT_LIMITS: Record<LimiterName, RateLimit> = {
  api: { points: 1200, seconds: 60 },
  authorize: { points: 600, seconds: 60 },
  token: { points: 600, seconds: 60 },
  refresh: { points: 600, seconds: 60 },
  verify: { points: 6000, seconds: 60 },
  consent: { points: 120, seconds: 60 },
  signup: { points: 20, seconds: 3600 },
};

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Limits by name; a name that is left out keeps its default. */
export const rateLimits: Parser<Record<LimiterName, RateLimit>> = (text) => {
  const limits = { ...DEFAULT_LIMITS };
  for (const part of text.split(',')) {
    const match = /^([a-z]+)=(\d{1,9})\/(\d{1,4})$/.exec(part.trim());
    const name = LIMITER_NAMES.find((known) => known === match?.[1]);
    const [points, seconds] = [Number(match?.[2]), Number(match?.[3])];
    if (!name || !(points >= 1) || !(seconds >= 1 && seconds <= 3600))
      return new Fault(
        `name=points/seconds, comma separated; names: ${LIMITER_NAMES.join(', ')}; points at least 1, seconds 1 to 3600`,
      );
    limits[name] = { points, seconds };
  }
  return limits;
};
