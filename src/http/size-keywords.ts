import type { Ajv } from 'ajv';

/** Most UTF-8 bytes of all scopes of one object together. */
export const SCOPES_BYTES = 8 * 1024;
/** Most bytes of the metadata of an audit entry, as JSON without white space. */
export const METADATA_BYTES = 16 * 1024;

/** Of an array of strings: the most UTF-8 bytes that all of them may have together. */
export const MAX_TOTAL_BYTES = 'x-max-total-bytes';
/** Of an object: the most UTF-8 bytes that it may have as JSON without white space. */
export const MAX_JSON_BYTES = 'x-max-json-bytes';

/**
 * Teaches a validator the two bounds that JSON Schema has no word for. They bound the size of a page of a list. Stored
 * objects that are older than a bound stay readable, because answers are not validated.
 */
export function addSizeKeywords(ajv: Pick<Ajv, 'addKeyword'>): void {
  ajv.addKeyword({
    keyword: MAX_TOTAL_BYTES,
    type: 'array',
    schemaType: 'number',
    validate: (max: number, items: readonly unknown[]) =>
      items.reduce<number>(
        (sum, item) => sum + (typeof item === 'string' ? Buffer.byteLength(item) : 0),
        0,
      ) <= max,
    error: { message: ({ schema }) => `must have at most ${schema} bytes (UTF-8) together` },
  });
  ajv.addKeyword({
    keyword: MAX_JSON_BYTES,
    type: 'object',
    schemaType: 'number',
    validate: (max: number, value: object) => Buffer.byteLength(JSON.stringify(value)) <= max,
    error: { message: ({ schema }) => `must have at most ${schema} bytes as JSON` },
  });
}
