import { parse } from 'postgres-array';

/** An array as PostgreSQL reads it: each member quoted, so that no member can end the array or pass for NULL. */
const toLiteral = (members: readonly (string | null)[]): string =>
  `{${members.map((member) => (member === null ? 'NULL' : `"${member.replace(/["\\]/g, '\\$&')}"`)).join(',')}}`;

/**
 * How the driver reads and writes `text[]` and `varchar[]`. By itself it would ask the server for the types of arrays on
 * each fresh connection, with a query that nobody awaits: a refusal of it would end the process.
 */
export const ARRAY_TYPES = {
  textArray: { to: 1009, from: [1009, 1015], serialize: toLiteral, parse: (text: string) => parse(text) },
};
