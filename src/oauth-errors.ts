/** `error` by status: RFC 6749 §5.2, and §4.1.2.1 for what is no fault of the caller. */
const ERROR_CODES: Readonly<Record<number, string>> = {
  400: 'invalid_request',
  401: 'invalid_client',
  429: 'temporarily_unavailable',
  500: 'server_error',
  503: 'temporarily_unavailable',
};

/** The value of `error` in a refusal of a standard endpoint. */
export const oauthErrorOf = (status: number): string => ERROR_CODES[status] ?? 'invalid_request';

/** Every value of `error`. */
export const OAUTH_ERRORS = [...new Set(Object.values(ERROR_CODES))];

/** The challenge of a 401 there: either scheme will do (RFC 9110 §11.6.1). */
export const OAUTH_CHALLENGE = 'Bearer, Basic realm="grantex"';
