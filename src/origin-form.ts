/** No route has this path. */
const NO_PATH = '/*';

/**
 * The path and query of an absolute request target (RFC 9112 §3.2.2), or the target itself. What is no URL becomes a path that
 * no route has. Nothing is normalised: a path that a proxy's rule did not match must not become one that it would have matched.
 */
export function originForm(target = '/'): string {
  if (target.startsWith('/')) return target;
  const authority = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]+/i.exec(target)?.[0];
  if (authority === undefined || !URL.canParse(target)) return NO_PATH;
  const rest = target.slice(authority.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** Whether a request target, of either form, is that of the scrape. */
export function isMetrics(target: string | undefined): boolean {
  const path = originForm(target);
  return path === '/metrics' || path.startsWith('/metrics?');
}
