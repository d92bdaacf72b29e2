/** The path of an absolute request target (RFC 9112 §3.2.2), or the target itself; `/` for what is no URL. */
export function originForm(target = '/'): string {
  if (target.startsWith('/')) return target;
  if (!URL.canParse(target)) return '/';
  const { pathname, search } = new URL(target);
  return pathname + search;
}

/** Whether a request target, of either form, is that of the scrape. */
export function isMetrics(target: string | undefined): boolean {
  const path = originForm(target);
  return path === '/metrics' || path.startsWith('/metrics?');
}
