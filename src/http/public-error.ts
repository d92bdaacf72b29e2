import { asServiceError, badRequest, type ServiceError } from '../errors.ts';

/**
 * What may be told of an error: itself when it is one of ours, a plain 400 for what the HTTP layer refused
 * (bad percent-encoding), and nothing but INTERNAL_ERROR for everything unexpected.
 */
export function toPublicError(error: unknown): ServiceError {
  if (error instanceof URIError) return badRequest('The URL is not valid', error);
  return asServiceError(error);
}
