import { Fault, Faults, type Parser } from './values.ts';

/** One variable of the environment. */
export interface Variable<T = unknown> {
  readonly name: string;
  readonly parse: Parser<T>;
  /** As it would be written; null: unset, which the text explains. */
  readonly defaultText: string | null;
  /** What it has when it is unset or empty. */
  readonly fallback: T;
  /** For people: in .env.example and docs/configuration.md. */
  readonly text: string;
}

/** @throws when the default cannot be parsed: a mistake in the table */
export function variable<T>(name: string, parse: Parser<T>, defaultText: string, text: string): Variable<T> {
  const fallback = parse(defaultText);
  if (fallback instanceof Fault || fallback instanceof Faults) throw new Error(`${name}: bad default`);
  return { name, parse, defaultText, fallback, text };
}

/** A variable without a default: null when it is unset. */
export const optional = <T>(name: string, parse: Parser<T>, text: string): Variable<T | null> => ({
  name,
  parse,
  defaultText: null,
  fallback: null,
  text,
});

/** A list: empty when it is unset. */
export const list = <T>(name: string, parse: Parser<readonly T[]>, text: string): Variable<readonly T[]> => ({
  name,
  parse,
  defaultText: null,
  fallback: [],
  text,
});
