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
  /** The chart takes it from a Secret, never from its values. */
  readonly secret?: true;
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

/** Marks a variable whose value is a secret. */
export const secret = <T>(of: Variable<T>): Variable<T> => ({ ...of, secret: true });

/** Gathers every fault of the variables that are read with it, so that they are reported together. */
export class VariableReader {
  /** Each begins with the name of its variable and never repeats a value. */
  readonly faults: string[] = [];
  readonly #textOf: (name: string) => string | undefined;
  /** `textOf` returns what a variable says in the environment; unset and empty mean the same. */
  constructor(textOf: (name: string) => string | undefined) {
    this.#textOf = textOf;
  }

  /** Returns the value as it is set, or what the variable has when it is unset. A faulty variable has that, too. */
  read<T>({ name, parse, fallback }: Variable<T>): T {
    const text = this.#textOf(name);
    if (text === undefined || text === '') return fallback;
    const value = parse(text);
    if (value instanceof Fault) this.faults.push(`${name} must be ${value.expected}`);
    else if (value instanceof Faults) this.faults.push(...value.list.map((fault) => `${name}: ${fault}`));
    else return value;
    return fallback;
  }
}
