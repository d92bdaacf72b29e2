import type { AuthenticationReason, Credential } from './label-values.ts';

/** The closed set of error codes and the status each one is sent with (contract: Every response). */
export const ERROR_STATUS = {
  BAD_REQUEST: 400,
  UNAUTHORIZED: 401,
  PLAN_LIMIT_EXCEEDED: 402,
  FORBIDDEN: 403,
  POLICY_DENIED: 403,
  CONSENT_REQUIRED: 403,
  DELEGATION_DEPTH_EXCEEDED: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  GONE: 410,
  RATE_LIMITED: 429,
  INTERNAL_ERROR: 500,
  SERVICE_UNAVAILABLE: 503,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

/**
 * A refusal with a message that may be shown to anyone. What went wrong inside travels as `cause` and reaches
 * the log at most, never the response.
 */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: ErrorCode;
  constructor(code: ErrorCode, publicMessage: string, options?: { cause?: unknown }) {
    super(publicMessage, options);
    this.code = code;
  }
  /** HTTP status of the code. */
  get status(): number {
    return ERROR_STATUS[this.code];
  }
}

/** A failure as callers may see it: a ServiceError unchanged, and INTERNAL_ERROR for every other failure. */
export const asServiceError = (error: unknown): ServiceError =>
  error instanceof ServiceError
    ? error
    : new ServiceError('INTERNAL_ERROR', 'Something went wrong', { cause: error });

export const badRequest = (message: string, cause?: unknown) =>
  new ServiceError('BAD_REQUEST', message, { cause });
const CREDENTIAL_WORDS = { api_key: 'API key', session_token: 'session token' } as const;

/** A refusal of the caller's credential. The reason is for the log: a caller who guesses learns nothing. */
export class AuthenticationError extends ServiceError {
  readonly credential: Credential;
  readonly reason: AuthenticationReason;
  constructor(credential: Credential, reason: AuthenticationReason) {
    super('UNAUTHORIZED', `A valid ${CREDENTIAL_WORDS[credential]} is required`);
    this.credential = credential;
    this.reason = reason;
  }
}

export const unauthorized = (
  credential: Credential = 'api_key',
  reason: AuthenticationReason = 'unknown',
): AuthenticationError => new AuthenticationError(credential, reason);
/** Too many requests, or connections; `retryAfter`: whole seconds after which to try again. The wording is the contract's. */
export class TooManyError extends ServiceError {
  readonly retryAfter: number;
  constructor(retryAfter: number) {
    super('RATE_LIMITED', `Rate limit exceeded, retry in ${retryAfter} seconds`);
    this.retryAfter = retryAfter;
  }
}
export const notFound = (what: string) => new ServiceError('NOT_FOUND', `${what} not found`);
/** Only for requests of which nothing was committed: clients repeat them by themselves. */
export const unavailable = (cause?: unknown) =>
  new ServiceError('SERVICE_UNAVAILABLE', 'The service is temporarily unavailable', { cause });
