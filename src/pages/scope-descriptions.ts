import { exactText } from './assets/display-text.js';
import { ACTIONS, RESOURCES } from './scope-words.ts';

const SEGMENT = /^[a-z0-9][a-z0-9_.-]*$/;
/** An amount: `500`, `max_500`, `up_to_20_eur`. Other words could be a sentence that reassures. */
const PLAIN_CONSTRAINT =
  /^(?:(?:max|min|limit|under|over|up_to)[_-]?)?\d{1,12}(?:\.\d{1,4})?(?:[_-](?:usd|eur|gbp|chf|jpy|inr|cad|aud))?$/;

/** A quoted text must not be able to end the quotation; its own quotation marks are shown exactly beside the sentence. */
const quote = (text: string) => `“${exactText(text).replace(/["“”„‟«»＂〝〞]/g, "'")}”`;
const unknown = (scope: string) => `Use the permission ${quote(scope)}, whose meaning the developer defines`;

const constraintText = (constraint: string): string => {
  if (constraint === '') return '';
  if (PLAIN_CONSTRAINT.test(constraint)) return ` (${constraint.replace(/[_-]/g, ' ')})`;
  return `, with the condition ${quote(constraint)}`;
};

const resourceText = (resource: string, form: 'own' | 'bare'): string | null => {
  if (resource === '*') return form === 'own' ? 'everything that belongs to you' : 'anything';
  if (Object.hasOwn(RESOURCES, resource)) return RESOURCES[resource]?.[form] ?? null;
  return SEGMENT.test(resource) ? quote(resource) : null;
};

const sentence = (resource: string, action: string, constraint: string): string | null => {
  if (!Object.hasOwn(ACTIONS, action)) return null;
  const known = ACTIONS[action];
  const object = known && resourceText(resource, known.form);
  return object ? `${known.verb} ${object}${constraintText(constraint)}` : null;
};

/**
 * What a scope means, in plain words, for the person who is asked for it.
 *
 * `resource:action[:constraint]` and reverse-domain scopes with an action that is known become a sentence
 * (`calendar:read` → "Read your calendar"). Whatever is not known for certain is quoted as it is rather than put into words:
 * the shape of a scope is not validated, so it may be prose made to reassure. Every string gives a sentence without
 * invisible or direction-changing characters; it still has to be escaped.
 */
export function describeScope(scope: string): string {
  if (scope === '*' || scope === '*:*') return 'Do everything on your behalf, without limits';
  const [resource = '', action, ...rest] = scope.split(':');
  if (action !== undefined)
    return sentence(resource.toLowerCase(), action.toLowerCase(), rest.join(':')) ?? unknown(scope);

  const dot = scope.lastIndexOf('.');
  const labels = scope.slice(0, Math.max(dot, 0)).toLowerCase();
  const isReverseDomain = /^[a-z]{2,}(?:\.[a-z0-9_-]+)+$/.test(labels);
  return (isReverseDomain && sentence(labels, scope.slice(dot + 1).toLowerCase(), '')) || unknown(scope);
}
