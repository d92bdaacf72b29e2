import { asServiceError, badRequest, type ServiceError } from '../errors.ts';

/**
 * The error that a caller may see: a ServiceError unchanged, a 400 for a URL that the HTTP layer refused (bad
 * percent-encoding), and INTERNAL_ERROR for everything unexpected.
 */
export function toPublicError(error: unknown): ServiceError {
  if (error instanceof URIError) return badRequest('The URL is not valid', error);
  return asServiceError(error);
}
