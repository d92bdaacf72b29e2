import { parse } from 'postgres-array';

/** An array in PostgreSQL's syntax. Each member is quoted, so that none can end the array or pass for NULL. */
const toLiteral = (members: readonly (string | null)[]): string =>
  `{${members.map((member) => (member === null ? 'NULL' : `"${member.replace(/["\\]/g, '\\$&')}"`)).join(',')}}`;

/** The driver serializes values again when it repeats a statement whose plan is out of date. They are strings already then. */
const once =
  <T>(write: (value: T) => string) =>
  (value: T | string): string =>
    typeof value === 'string' ? value : write(value);

/**
 * How the driver reads and writes values where its default does not work. By default it asks the server for array types on each
 * new connection. It does not await that query, so a refusal would end the process.
 */
export const VALUE_TYPES = {
  textArray: {
    to: 1009,
    from: [1009, 1015],
    serialize: once(toLiteral),
    parse: (text: string) => parse(text),
  },
  bytes: {
    to: 17,
    from: [17],
    serialize: once((bytes: Uint8Array) => `\\x${Buffer.from(bytes).toString('hex')}`),
    parse: (text: string) => Buffer.from(text.slice(2), 'hex'),
  },
  boolean: {
    to: 16,
    from: [16],
    serialize: once((value: boolean) => (value ? 't' : 'f')),
    parse: (text: string) => text === 't',
  },
};
