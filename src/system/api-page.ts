import type { TSchema } from 'typebox';
import type { Endpoint } from '../http/endpoint.ts';
import { type Html, html } from '../http/html.ts';
import { layout } from '../pages/layout.ts';
import { SERVICE_VERSION } from '../version.ts';
import { statusesOf } from './openapi-refusals.ts';

const ACCESS: Readonly<Record<string, string>> = {
  public: 'nobody in particular',
  principal: 'a principal, by session token',
};

/** The description of the API for people, from the declarations that also make /openapi.json. It has no script. */
export function apiPage(endpoints: readonly Endpoint[]): string {
  const groups = Map.groupBy(endpoints, groupOf);
  return layout(
    'API of the Grantex authorization service',
    html`<main class="card wide">
<h1>API, version ${SERVICE_VERSION}</h1>
<p>Made from the same declarations as <a href="openapi.json">openapi.json</a>, which programs read. <a href="./">Start</a></p>
<nav><ul>${[...groups.keys()].map((name) => html`<li><a href="#${name}">${name}</a></li>`)}</ul></nav>
${[...groups].map(
  ([name, its]) => html`<section id="${name}">
<h2>${name}</h2>
${its.map(operation)}
</section>`,
)}
</main>`,
    { style: 'front.css' },
  );
}

/** The part of the path that names the objects: `grants` of `/v1/grants/:id`. */
const groupOf = ({ path }: Endpoint): string => {
  const [first = '', second = ''] = path.slice(1).split('/');
  return (first === 'v1' ? second : first).replace('.well-known', 'well-known') || 'start';
};

const operation = (one: Endpoint): Html => html`<article>
<h3><code>${one.method.toUpperCase()} ${one.path.replaceAll(/:(\w+)/g, '{$1}')}</code></h3>
<p>${one.summary.replaceAll('`', '')}. For ${ACCESS[one.access] ?? 'a developer, by API key'}.</p>
${members('Query', one.query)}
${members('Body', one.body)}
<p>Answers: ${Object.keys(one.responses).join(', ')}. Refusals: ${statusesOf(one).join(', ') || 'none'}.</p>
</article>`;

/** The parts of an object's schema that are shown. */
interface ObjectSchema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

function members(title: string, schema: TSchema | undefined): Html | null {
  const { properties = {}, required = [] }: ObjectSchema = schema ?? {};
  const all = Object.entries(properties);
  if (all.length === 0) return null;
  return html`<table>
<thead><tr><th>${title}</th><th>Type</th><th>Required</th></tr></thead>
<tbody>${all.map(
    ([name, member]) =>
      html`<tr><td><code>${name}</code></td><td>${typeOf(member)}</td><td>${required.includes(name) && member.default === undefined ? 'yes' : 'no'}</td></tr>`,
  )}</tbody>
</table>`;
}

interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
}

/** A schema in a few words. */
function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' or ');
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(' or ');
  if (schema.type === 'array') return `list of ${schema.items ? typeOf(schema.items) : 'anything'}`;
  const { type = 'anything', minimum, maximum, maxLength } = schema;
  if (maxLength !== undefined) return `${type}, at most ${maxLength} characters`;
  if (minimum !== undefined && maximum !== undefined) return `${type}, ${minimum} to ${maximum}`;
  return type;
}
