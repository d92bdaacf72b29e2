import type { StoredSpan } from './jaeger.ts';

/** A span with its children, in the form that tests expect. Children are sorted by name, because their times vary. */
export interface Tree {
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly children: readonly Tree[];
}

/** Attributes that Jaeger adds, or that differ in each run and are checked elsewhere. */
const LEFT_OUT = new Set([
  'internal.span.format',
  'otel.scope.name',
  'otel.scope.version',
  'network.peer.port',
  'db.query.text',
]);

const byName = (children: readonly Tree[]) =>
  [...children].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

/**
 * The trees of a trace: one for each span without a parent in it. `rename` replaces attribute values by names from the
 * test.
 */
export function treesOf(spans: readonly StoredSpan[], rename: (value: unknown) => unknown): Tree[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const below = (parent: string | undefined): Tree[] =>
    byName(
      spans
        .filter(({ parentSpanId }) =>
          parent === undefined
            ? parentSpanId === undefined || !ids.has(parentSpanId)
            : parentSpanId === parent,
        )
        .map(({ name, spanId, attributes }) => ({
          name,
          attributes: Object.fromEntries(
            Object.entries(attributes)
              .filter(([key]) => !LEFT_OUT.has(key))
              .map(([key, value]) => [key, rename(value)]),
          ),
          children: below(spanId),
        })),
    );
  return below(undefined);
}

/** The span of a request. A 4xx is no error, so the span has no status unless `status` is at least 500. */
export function request(
  method: string,
  route: string,
  status: number,
  ...rest: [Record<string, unknown>, ...Tree[]] | Tree[]
): Tree {
  const [first, ...others] = rest;
  const [attributes, children] =
    first === undefined || isTree(first) ? [{}, rest as Tree[]] : [first, others as Tree[]];
  return {
    name: `${method} ${route}`,
    attributes: {
      'span.kind': 'server',
      'http.request.method': method,
      'http.route': route,
      'url.path': route,
      'url.scheme': 'http',
      'http.response.status_code': status,
      'network.peer.address': '127.0.0.1',
      'network.protocol.version': '1.1',
      'client.address': '127.0.0.1',
      'user_agent.original': 'node',
      ...attributes,
    },
    children: byName(children),
  };
}
const isTree = (value: Record<string, unknown> | Tree): value is Tree => 'children' in value;

/** The span of an operation of the domain. `attributes` are without the prefix `grantex.`. */
export const act = (name: string, attributes: Record<string, unknown>, ...children: Tree[]): Tree => ({
  name,
  attributes: { 'span.kind': 'internal', ...prefixed(attributes) },
  children: byName(children),
});

export const prefixed = (attributes: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(attributes).map(([key, value]) => [key.includes('.') ? key : `grantex.${key}`, value]),
  );

/** The span of an SQL statement: `SELECT agents`, and its name in the code. */
export function statement(summary: string, name: string): Tree {
  const [operation, collection] = summary.split(' ');
  return {
    name: summary,
    attributes: {
      'span.kind': 'client',
      'db.system.name': 'postgresql',
      'db.operation.name': operation,
      ...(collection !== undefined && { 'db.collection.name': collection }),
      'db.query.summary': summary,
      'grantex.statement': name,
    },
    children: [],
  };
}
