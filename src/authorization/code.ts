import type { Ids } from '../ids.ts';

/** The lifetime of an authorization code, which works once. */
export const CODE_LIFE_MS = 10 * 60 * 1000;

/** A new authorization code: 256 random bits. Only its hash is stored. */
export const newCode = (ids: Ids): string => ids.secret(32);
