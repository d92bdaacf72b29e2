import { ERROR_STATUS } from '../errors.ts';
import type { Endpoint } from '../http/endpoint.ts';
import { OAUTH_CHALLENGE, OAUTH_ERRORS } from '../oauth-errors.ts';

/** Refusals that follow from the work of an endpoint. `statusesOf` derives those that follow from its declaration. */
const OWN_REFUSALS: Readonly<Record<string, readonly number[]>> = {
  'post /v1/signup': [409],
  'post /v1/keys': [409],
  'delete /v1/keys/:id': [409],
  'post /v1/keys/rotate': [409],
  'post /v1/agents': [402],
  'post /v1/authorize': [403, 404],
  'post /v1/authorize/:id/approve': [403],
  'post /v1/authorize/:id/deny': [403],
  'get /consent': [404, 410],
  'get /v1/consent/:id': [410],
  'post /v1/consent/:id/approve': [410],
  'post /v1/consent/:id/deny': [410],
  'post /v1/tokens/revoke': [404],
  'post /v1/grants/delegate': [403, 404],
  'post /v1/audit/log': [402],
  'post /v1/policies': [404],
  'get /v1/revocations': [410],
  'get /v1/revocations/stream': [410],
  'get /v1/events/stream': [410],
};

/** The meaning of each refusal, by status. */
export const DESCRIPTIONS: Readonly<Record<number, string>> = {
  400: 'The request is not valid',
  401: 'No valid API key, or session token of a principal',
  402: 'A quota of the developer is used up',
  403: 'Not allowed',
  404: "Unknown, or another developer's",
  409: 'Taken, or not possible in this state',
  410: 'Expired or already decided; a cursor: not of this feed',
  429: 'Too many requests; nothing was committed',
  500: 'The service failed; whether the request took effect is not known',
  503: 'Temporarily unavailable; nothing was committed',
};

const SECONDS = { type: 'integer', minimum: 0, maximum: 3600 };
const COUNT = { type: 'integer', minimum: 0 };
const REQUEST_ID = {
  description: 'Names the request in the logs',
  required: true,
  schema: { type: 'string' },
};
const LIMIT_HEADERS = {
  'x-ratelimit-limit': { description: 'Requests in a window; absent where limits are off', schema: COUNT },
  'x-ratelimit-remaining': { description: 'Requests left in this window', schema: COUNT },
  'x-ratelimit-reset': { description: 'Seconds until the window ends', schema: SECONDS },
};
const challenge = (text: string) => ({
  'www-authenticate': { required: true, schema: { type: 'string', const: text } },
});
/** RFC 6749 §5.2. */
const OAUTH_ERROR = {
  type: 'object',
  required: ['error', 'error_description'],
  properties: { error: { enum: OAUTH_ERRORS }, error_description: { type: 'string' } },
};
const OWN_HEADERS: Readonly<Record<number, object>> = {
  401: challenge('Bearer'),
  429: {
    'retry-after': {
      description: 'Seconds after which to try again',
      required: true,
      schema: { ...SECONDS, minimum: 1 },
    },
  },
};

/** The headers that every answer of an endpoint may have. */
export const responseHeaders = ({ limit }: Pick<Endpoint, 'limit'>) => ({
  'x-request-id': REQUEST_ID,
  ...(limit && LIMIT_HEADERS),
});

/** The error envelope for each status, with the codes of that status. */
export function refusalComponents(): Record<string, unknown> {
  return Object.fromEntries(
    Object.keys(DESCRIPTIONS)
      .map(Number)
      .map((status) => [
        `Refused${status}`,
        {
          description: DESCRIPTIONS[status],
          headers: {
            ...responseHeaders({ limit: [500, 503].includes(status) ? null : 'api' }),
            ...OWN_HEADERS[status],
          },
          content: { 'application/json': { schema: envelope(status) } },
        },
      ]),
  );
}

const envelope = (status: number) => ({
  allOf: [
    { $ref: '#/components/schemas/Error' },
    {
      properties: {
        code: { enum: Object.entries(ERROR_STATUS).flatMap(([code, of]) => (of === status ? [code] : [])) },
      },
    },
  ],
});

/** Every refusal of an endpoint, by status. */
export function refusalsOf(endpoint: Endpoint): Record<string, unknown> {
  return Object.fromEntries(
    statusesOf(endpoint).map((status) => {
      const own = contentOfRefusal(endpoint);
      if (!own) return [status, { $ref: `#/components/responses/Refused${status}` }];
      const headers = {
        ...responseHeaders(endpoint),
        ...OWN_HEADERS[status],
        ...(endpoint.oauth && status === 401 && challenge(OAUTH_CHALLENGE)),
      };
      return [status, { description: DESCRIPTIONS[status], headers, content: own }];
    }),
  );
}

/** The content of a refusal that is not the common envelope. */
function contentOfRefusal({ refusalPage, oauth }: Endpoint): object | null {
  if (oauth) return { 'application/json': { schema: OAUTH_ERROR } };
  return refusalPage ? { 'text/html': { schema: { type: 'string' } } } : null;
}

/** The statuses of every refusal of an endpoint. */
export function statusesOf({ method, path, access, limit, query }: Endpoint): number[] {
  const hasId = path.includes(':');
  const readsBody = method === 'post' || method === 'patch';
  const statuses = [
    ...(hasId || readsBody || query ? [400] : []),
    ...(access === 'public' ? [] : [401]),
    ...(hasId ? [404] : []),
    ...(limit ? [429] : []),
    ...(OWN_REFUSALS[`${method} ${path}`] ?? []),
    500,
    503,
  ];
  return [...new Set(statuses)].sort((a, b) => a - b);
}
