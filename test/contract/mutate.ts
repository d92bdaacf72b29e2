import { isForm, type Operation } from './document.ts';
import type { Edit } from './hostile.ts';
import type { Outgoing } from './send.ts';
import type { Sample } from './world.ts';

/** A request whose parts are texts, so that any of them may be wrong. */
interface Draft {
  id: string;
  /** Names and values as they stand in the URL. */
  readonly query: string[];
  /** Members as JSON texts. */
  readonly members: [name: string, value: string][];
  whole: string | undefined;
  readonly headers: Record<string, string>;
}

const FORM = 'application/x-www-form-urlencoded';
/** A JSON text as it stands in a form: a string without its quotes. */
const formText = (json: string): string => encodeURIComponent(json.replace(/^"(.*)"$/s, '$1').toWellFormed());

/** The request of a sample, with edits made to it. */
export function outgoing(operation: Operation, sample: Sample, edits: readonly Edit[] = []): Outgoing {
  const { key, id = '', query = {}, body, headers } = sample;
  const draft: Draft = {
    id: encodeURIComponent(id),
    query: Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`),
    members: Object.entries(body ?? {}).map(([name, value]) => [JSON.stringify(name), JSON.stringify(value)]),
    whole: undefined,
    headers: {
      'content-type': isForm(operation) ? FORM : 'application/json',
      ...headers,
      authorization: `Bearer ${key}`,
    },
  };
  for (const edit of edits) apply(edit, draft);
  const path = operation.template.replace(/\{\w+\}/, () => draft.id);
  const members = isForm(operation)
    ? draft.members.map((member) => member.map(formText).join('=')).join('&')
    : `{${draft.members.map(([name, value]) => `${name}:${value}`).join()}}`;
  const text = draft.whole ?? (body || draft.members.length > 0 ? members : undefined);
  return {
    method: operation.method,
    path: draft.query.length > 0 ? `${path}?${draft.query.join('&')}` : path,
    headers: draft.headers,
    ...(text !== undefined && { body: text }),
  };
}

function apply(edit: Edit, draft: Draft): void {
  switch (edit.in) {
    case 'id':
      draft.id = edit.text;
      return;
    case 'header':
      // Assigned as an own member: a header may be named __proto__.
      Object.defineProperty(draft.headers, edit.name, { value: edit.text, enumerable: true, writable: true });
      return;
    case 'query':
      applyToQuery(edit, draft.query);
      return;
    case 'body':
      applyToBody(edit, draft);
  }
}

function applyToQuery(edit: Extract<Edit, { in: 'query' }>, query: string[]): void {
  if (edit.how === 'add') {
    query.push(edit.text);
    return;
  }
  const index = edit.at % Math.max(1, query.length);
  const name = query[index]?.split('=', 1)[0];
  if (name === undefined) return;
  query.splice(index, edit.how === 'replace' ? 1 : 0, `${name}=${edit.text}`);
}

function applyToBody(edit: Extract<Edit, { in: 'body' }>, draft: Draft): void {
  const { members } = draft;
  if (edit.how === 'whole') {
    draft.whole = edit.text;
    return;
  }
  if (edit.how === 'add') {
    members.push([`"${edit.name}"`, edit.text]);
    return;
  }
  const index = edit.at % Math.max(1, members.length);
  const [name, value] = members[index] ?? [];
  if (name === undefined || value === undefined) return;
  if (edit.how === 'drop') members.splice(index, 1);
  else if (edit.how === 'replace') members[index] = [name, edit.text];
  else if (edit.how === 'duplicate') members.push([name, edit.text]);
  else
    members[index] = [
      name,
      value.endsWith(']') ? `${value.slice(0, -1)},${edit.text}]` : `[${value},${edit.text}]`,
    ];
}
