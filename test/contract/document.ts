import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Answer } from '../support/service.ts';

type Json = Readonly<Record<string, unknown>>;
interface Header {
  readonly required?: boolean;
  readonly schema: Json;
}
interface ResponseObject {
  readonly headers?: Readonly<Record<string, Header>>;
  readonly content?: Readonly<Record<string, { readonly schema: Json }>>;
}
interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
}

export interface Operation {
  /** `METHOD template`. */
  readonly name: string;
  readonly method: string;
  readonly template: string;
  readonly isPublic: boolean;
  readonly parameters: readonly Parameter[];
  /** By status. */
  readonly responses: Readonly<Record<string, ResponseObject>>;
}

const ajv = new Ajv2020({ strict: false, allErrors: true, coerceTypes: false });
// Ours are UTC and written by Date.toJSON, which is all that a client has to read.
ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

/** What `/openapi.json` says, and where an answer says otherwise. */
export class ApiDocument {
  /** Without streams, whose answers never end: they have tests of their own. */
  readonly operations: readonly Operation[];
  readonly #validators = new Map<Json, ValidateFunction>();

  constructor(document: Json) {
    const whole = resolveRefs(document, document) as {
      paths: Record<string, Record<string, Omit<Operation, 'name'> & { security: unknown[] }>>;
    };
    this.operations = Object.entries(whole.paths)
      .flatMap(([template, operations]) =>
        Object.entries(operations).map(([method, { security, parameters, responses }]) => ({
          name: `${method.toUpperCase()} ${template}`,
          method: method.toUpperCase(),
          template,
          isPublic: security.length === 0,
          parameters,
          responses,
        })),
      )
      .filter(({ responses }) => !responses[200]?.content?.['text/event-stream']);
  }

  /** The operation that a request is for; a template without parameters comes before one that has some. */
  find(method: string, path: string): Operation | undefined {
    const [bare = ''] = path.split('?', 1);
    return this.operations
      .filter((one) => one.method === method && pattern(one.template).test(bare))
      .sort((a, b) => a.template.split('{').length - b.template.split('{').length)[0];
  }

  /** How an answer differs from what is said of it; an undocumented status, header or member is a difference too. */
  faults(operation: Operation, { status, body, headers }: Answer): string[] {
    const response = operation.responses[status];
    if (!response) return [`${status} is not documented`];
    const type = headers.get('content-type')?.split(';', 1)[0];
    const content = response.content && (type === undefined ? undefined : response.content[type]);
    return [
      ...this.#headerFaults(response, headers),
      ...(response.content && !content ? [`content type ${type}`] : []),
      ...(!response.content && (type !== undefined || body !== '')
        ? ['a body where none is documented']
        : []),
      ...(content ? this.#schemaFaults(content.schema, body) : []),
      ...(status >= 400 && type === 'application/json' && !isForm(operation)
        ? envelopeFaults(body, headers)
        : []),
    ];
  }

  #headerFaults({ headers: documented = {} }: ResponseObject, headers: Headers): string[] {
    return Object.entries(documented).flatMap(([name, { required = false, schema }]) => {
      const text = headers.get(name);
      if (text === null) return required ? [`header ${name} is missing`] : [];
      const value = schema['type'] === 'integer' ? Number(/^\d+$/.exec(text)?.[0]) : text;
      return this.#schemaFaults(schema, value).map((fault) => `header ${name}: ${fault}`);
    });
  }

  #schemaFaults(schema: Json, value: unknown): string[] {
    const validate = this.#validators.get(schema) ?? ajv.compile(closed(schema));
    this.#validators.set(schema, validate);
    if (validate(value)) return [];
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath || 'it'} ${message}`);
  }
}

/** The standard endpoints take forms, and their errors have the form of OAuth, which the schema says whole. */
export const isForm = ({ template }: Pick<Operation, 'template'>): boolean => template.startsWith('/oauth/');

/** A refusal is the three members and nothing else, and names the request as the header does. A degraded health is none. */
function envelopeFaults(body: Json, headers: Headers): string[] {
  if (body['status'] === 'degraded') return [];
  const members = Object.keys(body).sort().join();
  return [
    ...(members === 'code,message,requestId' ? [] : [`the envelope has ${members}`]),
    ...(body['requestId'] === headers.get('x-request-id') ? [] : ['requestId is not x-request-id']),
  ];
}

const pattern = (template: string) => new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`);

function resolveRefs(value: unknown, root: Json): unknown {
  if (Array.isArray(value)) return value.map((one) => resolveRefs(one, root));
  if (typeof value !== 'object' || value === null) return value;
  const ref = (value as Json)['$ref'];
  if (typeof ref === 'string') {
    const steps = ref.slice(2).split('/');
    return resolveRefs(
      steps.reduce<unknown>((at, step) => (at as Json)[step], root),
      root,
    );
  }
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, resolveRefs(member, root)]));
}

/** The schema with every object that names its members closed, so that a member nobody documented is noticed. */
function closed(schema: Json): Json {
  const walked = Object.fromEntries(
    Object.entries(schema).map(([key, member]) => {
      if (key === 'properties')
        return [
          key,
          Object.fromEntries(Object.entries(member as Json).map(([n, s]) => [n, closed(s as Json)])),
        ];
      if (key === 'items') return [key, closed(member as Json)];
      if (key === 'anyOf' || key === 'oneOf') return [key, (member as Json[]).map(closed)];
      return [key, member];
    }),
  );
  const namesMembers = 'properties' in schema || 'allOf' in schema;
  return namesMembers ? { ...walked, unevaluatedProperties: false } : walked;
}
