const MAX_LENGTH = 2048;

/**
 * Schemes that browsers or operating systems handle themselves: scripts, local content, network protocols, and handlers
 * that act on the rest of the URL. None of them may ever receive a code.
 */
const FOREIGN_SCHEMES = new Set(
  `about acap afp aim android-app apt blob callto cid content data dav dns facetime facetime-audio feed file filesystem
  finger ftp ftps googlechrome googlechromes geo git gopher help hcp imap im intent ipp irc ircs itms jar javascript ldap ldaps livescript magnet
  mailto maps market mhtml mid mms mocha news nfs nntp opaquelocktoken pop res resource rsync rtsp search sftp shell shortcuts shttp sip
  sips skype smb sms smsto snmp ssh steam stun svn tag tel telnet tftp turn urn vbs vbscript view-source vnc wais ws wss
  wyciwyg xmpp`.split(/\s+/),
);
const FOREIGN_FAMILIES =
  /^(?:chrome|devtools|edge|firefox|microsoft|moz|ms|opera|safari|search|webkit)(?:$|-)|-ms$|-extension$/;

/**
 * Only the characters of RFC 3986. The URL parser drops tabs and line ends and converts backslashes, so a text such as
 * `java
 * script:` must not reach it.
 */
const URI_CHARACTERS = /^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9\-._~:/?[\]@!$&'()*+,;=%]*$/;

/**
 * Reads a redirect URI: `http`, `https`, or a private-use scheme (RFC 8252 §7.1, RFC 7595 §3.8). Returns null for
 * everything else.
 *
 * The URI must be absolute, with at most 2048 characters, no fragment (RFC 6749 §3.1.2), no user information, and a
 * host for http(s). A private-use scheme should be a reversed domain name. A scheme without a dot is also accepted,
 * because installed apps use such schemes, unless browsers or operating systems give it a meaning (`javascript:`,
 * `data:`, `mailto:`…).
 */
export function parseRedirectUri(text: string): URL | null {
  if (text.length > MAX_LENGTH || !URI_CHARACTERS.test(text)) return null;
  const url = URL.parse(text);
  if (!url || url.username || url.password || /^[^/?]*\/\/[^/?]*@/.test(text)) return null;
  if (url.protocol === 'http:' || url.protocol === 'https:')
    // The URL parser also accepts `https:host` and `https:///host`. Some programs that later compare the URI do not.
    return /^https?:\/\/[^/]/i.test(text) ? url : null;
  const scheme = url.protocol.slice(0, -1);
  if (scheme.includes('.')) return url;
  return FOREIGN_SCHEMES.has(scheme) || FOREIGN_FAMILIES.test(scheme) ? null : url;
}

/**
 * The destination of a redirect URI in a form for people: host and port, or the private-use scheme of an app. An
 * internationalised name appears as ASCII, which exposes look-alike names.
 */
export const redirectHost = (url: URL): string =>
  url.protocol === 'http:' || url.protocol === 'https:' ? url.host : url.protocol.slice(0, -1);
