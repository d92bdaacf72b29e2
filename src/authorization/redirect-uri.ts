import { isLoopback } from '../loopback.ts';

const MAX_LENGTH = 2048;

/**
 * Only the characters of RFC 3986. The URL parser drops tabs and line ends and converts backslashes, so a text such as
 * `java
 * script:` must not reach it.
 */
const URI_CHARACTERS = /^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9\-._~:/?[\]@!$&'()*+,;=%]*$/;

/** A reversed domain name: labels with dots between them (RFC 8252 §7.1). */
const REVERSED_DOMAIN = /^[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:$/;

/**
 * Reads a redirect URI. Returns null unless it is one of these:
 * - `https`;
 * - `http` to a loopback host (RFC 8252 §7.3), or to any host with `allowHttp`;
 * - a private-use scheme with a dot, such as `com.example.app:/cb` (RFC 8252 §7.1). The dot is required because browsers,
 *   operating systems and other programs handle the schemes without one: a code must not reach them.
 *
 * The URI must be absolute, with at most 2048 characters, no fragment (RFC 6749 §3.1.2), no user information, and a
 * host for http(s).
 */
export function parseRedirectUri(text: string, { allowHttp }: { readonly allowHttp: boolean }): URL | null {
  if (text.length > MAX_LENGTH || !URI_CHARACTERS.test(text)) return null;
  const url = URL.parse(text);
  if (!url || url.username || url.password || /^[^/?]*\/\/[^/?]*@/.test(text)) return null;
  const { protocol, hostname } = url;
  if (REVERSED_DOMAIN.test(protocol)) return url;
  // The URL parser also accepts `https:host` and `https:///host`. Some programs that later compare the URI do not.
  if (!/^https?:\/\/[^/]/i.test(text)) return null;
  return protocol === 'https:' || allowHttp || isLoopback(hostname) ? url : null;
}

/**
 * The destination of a redirect URI in a form for people: host and port, or the private-use scheme of an app. An
 * internationalised name appears as ASCII, which exposes look-alike names.
 */
export const redirectHost = (url: URL): string =>
  url.protocol === 'http:' || url.protocol === 'https:' ? url.host : url.protocol.slice(0, -1);
