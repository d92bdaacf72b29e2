import { type TSchema, Type } from 'typebox';
import { MAX_TOTAL_BYTES, SCOPES_BYTES } from './size-keywords.ts';

/** Also null. */
export const orNull = <T extends TSchema>(schema: T, options: { readonly description?: string } = {}) =>
  Type.Union([schema, Type.Null()], options);

/** Shapes that several rooms share. Lengths bound what a row, a log line and a token can grow to. */
export const Timestamp = Type.String({ format: 'date-time', description: 'ISO 8601, UTC' });
export const Name = Type.String({ minLength: 1, maxLength: 200 });
/** Identifiers are opaque on input: a malformed one is merely unknown. */
export const Id = Type.String({ minLength: 1, maxLength: 128 });
export const PrincipalId = Type.String({ minLength: 1, maxLength: 512 });
export const Scope = Type.String({ minLength: 1, maxLength: 256 });
const BOUNDS_OF_SCOPES = {
  maxItems: 100,
  description: `At most 100 scopes of 256 characters, and ${SCOPES_BYTES} bytes (UTF-8) together`,
  [MAX_TOTAL_BYTES]: SCOPES_BYTES,
};
export const Scopes = Type.Array(Scope, BOUNDS_OF_SCOPES);
export const SomeScopes = Type.Array(Scope, { ...BOUNDS_OF_SCOPES, minItems: 1 });
/** A JWT; the body limit bounds it. */
export const GrantToken = Type.String({ minLength: 1 });
/** A code or a refresh token. */
export const Credential = Type.String({ minLength: 1, maxLength: 512 });
export const Duration = Type.String({
  pattern: '^[1-9][0-9]{0,8}[smhd]$',
  description: '<n>s, <n>m, <n>h or <n>d; at most ten years',
  examples: ['24h'],
});
