import { type TProperties, Type } from 'typebox';

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
  Type.Object({ ...list, total: Type.Integer(), page: Type.Integer(), pageSize: Type.Integer() });

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
