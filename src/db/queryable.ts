import type { SpanContext } from '@opentelemetry/api';
import type { Query } from './query.ts';

/** Runs statements: on a pool, or in one transaction. */
export interface Queryable {
  /**
   * Runs one statement and returns its rows. Values travel only as parameters.
   * @param links spans of other requests that this statement also serves (batched lookups)
   * @throws {ServiceError} SERVICE_UNAVAILABLE when the fault proves that nothing was committed; else the driver's error
   */
  all<P, R>(query: Query<P, R>, values: NoInfer<P>, links?: readonly SpanContext[]): Promise<R[]>;
  /** The first row; undefined when there is none. */
  first<P, R>(query: Query<P, R>, values: NoInfer<P>): Promise<R | undefined>;
  /** The row of a statement that always returns one. @throws when there is none */
  only<P, R>(query: Query<P, R>, values: NoInfer<P>): Promise<R>;
}

/** Builds the other methods from `all`. */
export const createQueryable = (all: Queryable['all']): Queryable => ({
  all,
  first: async (query, values) => (await all(query, values))[0],
  async only(query, values) {
    const [row] = await all(query, values);
    if (row === undefined) throw new Error(`${query.name} returned no row`);
    return row;
  },
});
