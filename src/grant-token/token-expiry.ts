/**
 * SQL: when a token that is issued at `now` expires. It never outlives its grant, which expires at a whole second, nor
 * lives longer than `seconds`.
 */
export const tokenExpiry = (grantExpiresAt: string, now: string, seconds: string): string =>
  `least(${grantExpiresAt}, date_trunc('second', ${now}) + make_interval(secs => ${seconds}))`;
