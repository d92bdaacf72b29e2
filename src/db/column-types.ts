// The types of columns and parameters: their names in PostgreSQL and their counterparts in TypeScript.

declare const value: unique symbol;

/** A type of PostgreSQL with its TypeScript counterpart `T`. */
export interface ColumnType<T> {
  /** As `format_type` names it. */
  readonly sqlType: string;
  readonly nullable: boolean;
  /** No such member exists at run time: it only carries `T`. */
  readonly [value]?: T;
}

/** Names of columns, or of parameters, with their types. */
export type Columns = Readonly<Record<string, ColumnType<unknown>>>;

/** The values that go with `Columns`. */
export type ValuesOf<C extends Columns> = {
  readonly [K in keyof C]: C[K] extends ColumnType<infer T> ? T : never;
};

const type = <T>(sqlType: string): ColumnType<T> => ({ sqlType, nullable: false });

export const text = type<string>('text');
export const texts = type<readonly string[]>('text[]');
export const int = type<number>('integer');
export const smallint = type<number>('smallint');
/** Only for parameters, such as those of `limit`. The driver returns it as text. */
export const bigint = type<number>('bigint');
export const float = type<number>('double precision');
export const bool = type<boolean>('boolean');
export const timestamp = type<Date>('timestamp with time zone');
/** A time of day as text, `HH:mm`. Only for parameters. */
export const timeOfDay = type<string>('time without time zone');
export const bytes = type<Buffer>('bytea');
/** Text of a closed set, which the type names. PostgreSQL checks it only where the table has a constraint. */
export const textOf = <T extends string>() => type<T>('text');
export const textsOf = <T extends string>() => type<readonly T[]>('text[]');
/** `json` is for results that a statement builds, `jsonb` for what a table stores. */
export const json = <T>() => type<T>('json');
export const jsonb = <T>() => type<T>('jsonb');

/** The same type, or null. */
export const orNull = <T>({ sqlType }: ColumnType<T>): ColumnType<T | null> => ({ sqlType, nullable: true });
