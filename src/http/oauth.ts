import type { IncomingMessage } from 'node:http';
import type { ServiceError } from '../errors.ts';
import type { Credential } from '../label-values.ts';
import { type Bearer, bearerOf } from './bearer.ts';
import type { Reply } from './reply.ts';

/** The longest `Authorization: Basic` header that is decoded. */
const MAX_BASIC = 8192;

/** RFC 6749 §5.2, and §4.1.2.1 for what is no fault of the caller. */
const ERROR_CODES: Readonly<Record<number, string>> = {
  400: 'invalid_request',
  401: 'invalid_client',
  429: 'temporarily_unavailable',
  500: 'server_error',
  503: 'temporarily_unavailable',
};

/** Every value of `error`. */
export const OAUTH_ERRORS = [...new Set(Object.values(ERROR_CODES))];

/** The challenge of a 401: either scheme will do (RFC 9110 §11.6.1). */
export const OAUTH_CHALLENGE = 'Bearer, Basic realm="grantex"';

/**
 * The API key of an OAuth client: as Bearer, or as the password of HTTP Basic with any user name. The password is
 * form-encoded (RFC 6749 §2.3.1), which changes nothing of a key without `%`.
 * @throws UNAUTHORIZED when there is none; BAD_REQUEST when there are several
 */
export function clientKeyOf(
  req: Pick<IncomingMessage, 'headers' | 'rawHeaders'>,
  wanted: Credential,
): Bearer {
  const { headers, rawHeaders } = req;
  const encoded = /^basic +([\w+/-]+={0,2}) *$/i.exec(headers.authorization ?? '')?.[1];
  if (encoded === undefined || encoded.length > MAX_BASIC) return bearerOf(req, wanted);
  const [, password = ''] = /^[^:]*:(.+)$/s.exec(Buffer.from(encoded, 'base64').toString('utf8')) ?? [];
  // What follows is the same for both schemes.
  return bearerOf({ rawHeaders, headers: { authorization: `Bearer ${percentDecoded(password)}` } }, wanted);
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not encoded at all: a key may have a `%` of its own.
    return text;
  }
}

/** A refusal in the form of RFC 6749 §5.2. */
export const oauthRefusal = (status: number, { message }: ServiceError): Reply => ({
  status,
  json: { error: ERROR_CODES[status] ?? 'invalid_request', error_description: message },
  headers: status === 401 ? { 'www-authenticate': OAUTH_CHALLENGE } : {},
});
