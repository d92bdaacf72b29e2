import type { TObject, TSchema } from 'typebox';
import { ERROR_STATUS } from '../errors.ts';
import type { Endpoint } from '../http/endpoint.ts';
import { SERVICE_VERSION } from '../version.ts';

const ERROR = {
  type: 'object',
  required: ['message', 'code', 'requestId'],
  properties: {
    message: { type: 'string' },
    code: { enum: Object.keys(ERROR_STATUS) },
    requestId: { type: 'string' },
  },
};

/** OpenAPI 3.1 of these endpoints: the schemas are those that validate the requests. */
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
      license: { name: 'Apache-2.0' },
    },
    paths,
    components: {
      schemas: { Error: ERROR },
      securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operation({ method, path, summary, access, body, query, responses }: Endpoint) {
  return {
    operationId: `${method}${path.replaceAll(/[^A-Za-z0-9]+(.)?/g, (_all, next = '') => next.toUpperCase())}`,
    summary,
    security: access === 'public' ? [] : [{ apiKey: [] }],
    parameters: [...pathParameters(path), ...queryParameters(query)],
    ...(body && { requestBody: { required: hasRequired(body), content: json(body) } }),
    responses: {
      ...Object.fromEntries(Object.entries(responses).map(([status, schema]) => [status, response(schema)])),
      default: { description: 'A refusal', content: json({ $ref: '#/components/schemas/Error' }) },
    },
  };
}

const json = (schema: unknown) => ({ 'application/json': { schema } });
const response = (schema: TSchema | null) =>
  schema === null
    ? { description: 'Done' }
    : {
        description: 'Done',
        content: 'type' in schema && schema.type === 'string' ? { 'text/html': { schema } } : json(schema),
      };

const hasRequired = (schema: TSchema): boolean => ((schema as TObject).required ?? []).length > 0;

const pathParameters = (path: string) =>
  Array.from(path.matchAll(/:(\w+)/g), ([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));

const queryParameters = (query: TSchema | undefined) =>
  Object.entries((query as TObject | undefined)?.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    schema,
  }));
