import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Static, TSchema } from 'typebox';
import { badRequest } from '../errors.ts';
import { addSizeKeywords } from './size-keywords.ts';

/** Checks a value against its schema and gives it back typed, with defaults filled in. */
export type Validator<S extends TSchema> = (value: unknown) => Static<S>;

// Tests hold the schemas against JSON Schema's own: to do it at each start takes as long as all else that a start reads.
const settings = { strict: false, useDefaults: true, allErrors: false, validateSchema: false } as const;
const bodies = new Ajv2020(settings);
/** Query members arrive as text: decimal numbers and true/false are read as what they say. */
const queries = new Ajv2020({ ...settings, coerceTypes: true });
for (const ajv of [bodies, queries]) addSizeKeywords(ajv);

/**
 * Compiles a schema once, at the first use: most starts of tests and commands never use most of them.
 * @param where names the part of the request in messages; `query` reads numbers and booleans from text
 * @returns a validator that throws BAD_REQUEST naming the member at fault, never its value
 */
export function compileValidator<S extends TSchema>(schema: S, where: 'body' | 'query'): Validator<S> {
  let check: ValidateFunction<Static<S>> | undefined;
  const numbers = where === 'query' ? integersOf(schema) : [];
  return (value) => {
    const odd = numbers.find((name) => !isDecimal((value as Record<string, unknown>)[name]));
    if (odd !== undefined) throw badRequest(`${odd} must be integer`);
    check ??= (where === 'query' ? queries : bodies).compile<Static<S>>(schema);
    if (check(value)) return value;
    throw badRequest(explain(check.errors?.[0], where));
  };
}

const integersOf = (schema: TSchema): string[] =>
  Object.entries((schema as { properties?: Record<string, { type?: string }> }).properties ?? {})
    .filter(([, { type }]) => type === 'integer')
    .map(([name]) => name);

/** Ajv's coercion also reads `0x10`, `1e2` and ` 5`. */
const isDecimal = (text: unknown): boolean => typeof text !== 'string' || /^-?\d+$/.test(text);

function explain(error: ErrorObject | undefined, where: string): string {
  if (!error) return `The ${where} is not valid`;
  const missing = error.keyword === 'required' ? `/${error.params['missingProperty']}` : '';
  const member = `${error.instancePath}${missing}`.slice(1).replaceAll('/', '.');
  if (missing) return `${member} is required`;
  // Ajv's messages speak of the schema ("must be string"), never of the value.
  return `${member || `The ${where}`} ${error.message ?? 'is not valid'}`;
}
