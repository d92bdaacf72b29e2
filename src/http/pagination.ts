import { type TProperties, Type } from 'typebox';
import { badRequest, type ServiceError } from '../errors.ts';
import { LIST_DEPTH } from '../list-depth.ts';

const PAGE_SIZE = { default: 20, max: 100 };
const MAX_PAGE = 1_000_000;

/** The query of a list: its filters plus `page` and `pageSize`. */
export const pageQuery = <P extends TProperties>(filters: P, defaultSize = PAGE_SIZE.default) =>
  Type.Object({
    ...filters,
    page: Type.Integer({ minimum: 1, maximum: MAX_PAGE, default: 1 }),
    pageSize: Type.Integer({ minimum: 1, default: defaultSize }),
  });

/** One page of a list as answers show it. */
export const pageView = <P extends TProperties>(list: P) =>
  Type.Object({
    ...list,
    total: Type.Integer({ description: `Exact up to ${LIST_DEPTH}; the list has at least so many beyond` }),
    totalIsEstimate: Type.Optional(Type.Literal(true)),
    page: Type.Integer(),
    pageSize: Type.Integer(),
  });

/** Row numbers of a page; a page size over the greatest one is cut to it. */
export interface Page {
  readonly page: number;
  readonly pageSize: number;
  readonly limit: number;
  readonly offset: number;
}

/** The rows that a query asks for. */
export function pageOf(query: { page: number; pageSize: number }): Page {
  const pageSize = Math.min(query.pageSize, PAGE_SIZE.max);
  return { page: query.page, pageSize, limit: pageSize, offset: (query.page - 1) * pageSize };
}

/** The members of an answer that tell where a page stands. `counted` is exact up to one more than `LIST_DEPTH`. */
export const pageInfo = ({ page, pageSize }: Page, counted: number) =>
  counted > LIST_DEPTH
    ? { total: LIST_DEPTH, totalIsEstimate: true, page, pageSize }
    : { total: counted, page, pageSize };

/**
 * The refusal of a page that begins beyond the reachable objects, or null.
 * @param filters the query members that narrow the list
 */
export function faultOfPage(
  query: { page: number; pageSize: number },
  filters: readonly string[] = [],
): ServiceError | null {
  if (pageOf(query).offset < LIST_DEPTH) return null;
  const advice = filters.length === 0 ? '' : `. These narrow it: ${filters.join(', ')}`;
  return badRequest(`Only the first ${LIST_DEPTH} objects of a list have pages${advice}`);
}
