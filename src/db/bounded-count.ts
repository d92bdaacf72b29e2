import { LIST_DEPTH } from '../list-depth.ts';

/**
 * A statement that counts the rows of `from`, which is a table with its conditions. It stops one row beyond what lists count
 * exactly, so that its cost does not grow with the table.
 */
export const boundedCount = (from: string): string =>
  `select count(*)::int as total from (select from ${from} limit ${LIST_DEPTH + 1}) as counted`;
