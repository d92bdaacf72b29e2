import type { TObject, TSchema } from 'typebox';
import { ERROR_STATUS } from '../errors.ts';
import type { Endpoint } from '../http/endpoint.ts';
import { SERVICE_VERSION } from '../version.ts';
import { DESCRIPTIONS, refusalComponents, refusalsOf, responseHeaders } from './openapi-refusals.ts';

const ERROR = {
  type: 'object',
  required: ['message', 'code', 'requestId'],
  properties: {
    message: { type: 'string' },
    code: { enum: Object.keys(ERROR_STATUS) },
    requestId: { type: 'string' },
  },
};

const API_KEY = {
  type: 'http',
  scheme: 'bearer',
  description: "The developer's API key, `gx_live_…` or `gx_test_…`",
};

const CLIENT_PASSWORD = {
  type: 'http',
  scheme: 'basic',
  description: "The developer's API key as the password, with any user name",
};

const SESSION_TOKEN = {
  type: 'http',
  scheme: 'bearer',
  bearerFormat: 'JWT',
  description: "A principal's session token, of `POST /v1/principal-sessions`",
};

const REQUEST_ID = {
  name: 'x-request-id',
  in: 'header',
  required: false,
  description:
    'Kept for the answer and the logs when it is 1 to 128 printable characters; replaced otherwise',
  schema: { type: 'string' },
};

/** The request headers that a handler reads. */
const OWN_HEADERS: Readonly<Record<string, readonly object[]>> = {
  'post /v1/token/refresh': [
    {
      name: 'Idempotency-Key',
      in: 'header',
      required: false,
      description: 'The same key, refresh token and agent within 5 minutes is a retry, not reuse',
      schema: { type: 'string', minLength: 1, maxLength: 255 },
    },
  ],
};

/** OpenAPI 3.1 of these endpoints. It uses the same schemas that validate the requests. */
export function openApi(endpoints: readonly Endpoint[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const one of endpoints) {
    const path = one.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [one.method]: operation(one) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Grantex authorization service',
      version: SERVICE_VERSION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      schemas: { Error: ERROR },
      responses: refusalComponents(),
      securitySchemes: { apiKey: API_KEY, clientPassword: CLIENT_PASSWORD, sessionToken: SESSION_TOKEN },
    },
  };
}

function operation(endpoint: Endpoint) {
  const { method, path, summary, body, query, responses, oauth, eventStream } = endpoint;
  return {
    operationId: `${method}${path.replaceAll(/[^A-Za-z0-9]+(.)?/g, (_all, next = '') => next.toUpperCase())}`,
    summary,
    security: securityOf(endpoint),
    parameters: [
      ...pathParameters(path),
      ...queryParameters(query),
      ...(OWN_HEADERS[`${method} ${path}`] ?? []),
      REQUEST_ID,
    ],
    ...(body && { requestBody: { required: hasRequired(body), content: oauth ? form(body) : json(body) } }),
    responses: {
      ...refusalsOf(endpoint),
      ...Object.fromEntries(
        Object.entries(responses).map(([status, schema]) => [
          status,
          {
            description: DESCRIPTIONS[Number(status)] ?? 'Done',
            headers: responseHeaders(endpoint),
            ...(eventStream ? { content: { 'text/event-stream': { schema } } } : content(schema)),
          },
        ]),
      ),
    },
  };
}

const securityOf = ({ access, oauth }: Endpoint) => {
  if (access === 'public') return [];
  if (oauth) return [{ apiKey: [] }, { clientPassword: [] }];
  return access === 'principal' ? [{ sessionToken: [] }] : [{ apiKey: [] }];
};

const json = (schema: unknown) => ({ 'application/json': { schema } });
const form = (schema: unknown) => ({ 'application/x-www-form-urlencoded': { schema } });
const content = (schema: TSchema | null) =>
  schema && {
    content: 'type' in schema && schema.type === 'string' ? { 'text/html': { schema } } : json(schema),
  };

const hasRequired = (schema: TSchema): boolean => ((schema as TObject).required ?? []).length > 0;

const pathParameters = (path: string) =>
  Array.from(path.matchAll(/:(\w+)/g), ([, name]) => ({
    name,
    in: 'path',
    required: true,
    description: 'Opaque: a malformed one is an unknown one',
    schema: { type: 'string', minLength: 1 },
  }));

const queryParameters = (query: TSchema | undefined) =>
  Object.entries((query as TObject | undefined)?.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    schema,
  }));
