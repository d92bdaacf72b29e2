import {
  ADMIN_CHANGES,
  AUTHENTICATION_REASONS,
  CONNECTION_ENDS,
  CREDENTIALS,
  HTTP_REFUSALS,
} from '../../label-values.ts';
import { type Family, oneOf } from './family.ts';

const seeds = Object.entries(ADMIN_CHANGES).flatMap(([object, changes]) =>
  changes.map((change) => ({ object, change })),
);

/** Who tries to come in, who holds connections, and who changes what the service is set up with. */
export const SECURITY_FAMILIES = {
  authenticationFailures: {
    name: 'grantex_authentication_failures_total',
    instrument: 'grantex.authentication.failures',
    kind: 'counter',
    unit: '{request}',
    help: 'Requests refused with 401, by what they showed and what was wrong with it.',
    note: '`missing`: no Authorization header; `malformed`: no credential in it; `unknown`: no such key, or a token that this service did not make.',
    labels: {
      credential: oneOf('What the route asks for.', CREDENTIALS),
      reason: oneOf('What was wrong with the credential.', AUTHENTICATION_REASONS),
    },
    exemplars: 'all',
  },
  adminChanges: {
    name: 'grantex_admin_changes_total',
    instrument: 'grantex.admin.changes',
    kind: 'counter',
    unit: '{change}',
    help: 'Changes of what developers and operators set up, by object and change.',
    note: 'The log line of the change says who made it.',
    labels: {
      object: oneOf('What was changed.', Object.keys(ADMIN_CHANGES) as (keyof typeof ADMIN_CHANGES)[]),
      change: oneOf('What was done to it.', [
        'created',
        'updated',
        'deleted',
        'rotated',
        'suspended',
        'resumed',
        'revoked',
      ]),
    },
    seeds,
  },
  httpRefused: {
    name: 'grantex_http_refused_total',
    instrument: 'grantex.http.refused',
    kind: 'counter',
    unit: '{request}',
    help: 'What the HTTP server refused before it became a request, by reason; it is in no other family of requests.',
    note: '`method`: it does not begin with a method of HTTP; `timeout`: its headers did not arrive in time.',
    labels: { reason: oneOf('Why it never became a request.', HTTP_REFUSALS) },
  },
  connectionsClosed: {
    name: 'grantex_http_connections_closed_total',
    instrument: 'grantex.http.connections.closed',
    kind: 'counter',
    unit: '{connection}',
    help: 'Connections that the service closed because of their client, by reason.',
    note: '`limit`, `address_limit`: too many at once (`MAX_CONNECTIONS`, `MAX_CONNECTIONS_PER_ADDRESS`); `stalled`: the client did not read its answer; `slow_reader`: the client of a stream read too slowly.',
    labels: { reason: oneOf('Why the connection was closed.', CONNECTION_ENDS) },
  },
} as const satisfies Record<string, Family>;
