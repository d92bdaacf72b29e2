import fc from 'fast-check';
import { FRAGMENTS, HEADERS, IDS, NAMES, QUERIES } from './hostile-values.ts';

/** One change to a valid request. Numbers choose among what the request has, so that a seed means the same every time. */
export type Edit =
  | { readonly in: 'body'; readonly how: 'replace' | 'duplicate' | 'inside'; at: number; text: string }
  | { readonly in: 'body'; readonly how: 'drop'; at: number }
  | { readonly in: 'body'; readonly how: 'add'; name: string; text: string }
  | { readonly in: 'body'; readonly how: 'whole'; text: string }
  | { readonly in: 'id'; readonly text: string }
  | { readonly in: 'query'; readonly how: 'replace' | 'repeat'; at: number; text: string }
  | { readonly in: 'query'; readonly how: 'add'; text: string }
  | { readonly in: 'header'; readonly name: string; readonly text: string };

const at = fc.nat({ max: 99 });
const unicode = fc.string({ unit: 'binary', maxLength: 40 });
const fragment = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...FRAGMENTS) },
  { weight: 1, arbitrary: fc.json({ maxDepth: 3 }) },
  { weight: 1, arbitrary: unicode.map((text) => JSON.stringify(text)) },
  { weight: 1, arbitrary: fc.double().map((value) => String(value)) },
);
const encoded = fc.oneof(
  fc.constantFrom(...IDS),
  unicode.map((text) => encodeURIComponent(text.toWellFormed()) || '0'),
);

const is = <const T>(...values: T[]) => fc.constantFrom(...values);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ in: is('body'), how: is('replace'), at, text: fragment }) },
  { weight: 2, arbitrary: fc.record({ in: is('body'), how: is('duplicate', 'inside'), at, text: fragment }) },
  { weight: 1, arbitrary: fc.record({ in: is('body'), how: is('drop'), at }) },
  { weight: 2, arbitrary: fc.record({ in: is('body'), how: is('add'), name: is(...NAMES), text: fragment }) },
  { weight: 1, arbitrary: fc.record({ in: is('body'), how: is('whole'), text: fragment }) },
  { weight: 2, arbitrary: fc.record({ in: is('id'), text: encoded }) },
  { weight: 2, arbitrary: fc.record({ in: is('query'), how: is('replace', 'repeat'), at, text: encoded }) },
  { weight: 1, arbitrary: fc.record({ in: is('query'), how: is('add'), text: is(...QUERIES) }) },
  { weight: 2, arbitrary: is(...HEADERS).map(([name, text]) => ({ in: 'header', name, text }) as const) },
);

/** What is done to one valid request. */
export const edits: fc.Arbitrary<readonly Edit[]> = fc.array(edit, { minLength: 1, maxLength: 3 });
