/**
 * Adds an authorization response to a redirect URI (RFC 6749 §4.1.2). The query that is there stays byte for byte
 * (§3.1.2), except for parameters of the same names: none may occur twice (§3.1). Browser and service share this file.
 */
export function withQuery(redirectUri, response) {
  const url = new URL(redirectUri);
  const given = Object.entries(response).filter(([, value]) => typeof value === 'string');
  const names = given.map(([name]) => name);
  const nameOf = (pair) => new URLSearchParams(pair).keys().next().value;
  const kept = url.search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '' && !names.includes(nameOf(pair)));
  const added = given.length > 0 ? [new URLSearchParams(given).toString()] : [];
  url.search = [...kept, ...added].join('&');
  return url.href;
}
