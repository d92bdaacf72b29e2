import type { IncomingMessage } from 'node:http';
import type { ServiceError } from '../errors.ts';
import type { Credential } from '../label-values.ts';
import { OAUTH_CHALLENGE, oauthErrorOf } from '../oauth-errors.ts';
import { type Bearer, bearerOf } from './bearer.ts';
import type { Reply } from './reply.ts';

/** The longest `Authorization: Basic` header that is decoded. */
const MAX_BASIC = 8192;

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
  json: { error: oauthErrorOf(status), error_description: message },
  headers: status === 401 ? { 'www-authenticate': OAUTH_CHALLENGE } : {},
});
