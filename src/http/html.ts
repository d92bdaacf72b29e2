/** Markup that is already safe to send. Only `html` makes it, so a plain string can never pass for it. */
export class Html {
  readonly #markup: string;
  constructor(markup: string) {
    this.#markup = markup;
  }
  toString(): string {
    return this.#markup;
  }
}

/** What a template may hold. `null`, `undefined` and `false` leave nothing behind, a list is joined without separators. */
export type HtmlValue = Html | string | number | null | undefined | false | readonly HtmlValue[];

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

const render = (value: HtmlValue): string => {
  if (value === null || value === undefined || value === false) return '';
  if (value instanceof Html) return value.toString();
  if (Array.isArray(value)) return value.map(render).join('');
  return String(value).replace(/[&<>"'`]/g, (character) => ENTITIES[character] ?? '');
};

/**
 * Tagged template for HTML: every interpolated string is escaped for element content and for quoted attribute
 * values, and only the result of another `html` goes in unchanged. Not for unquoted attributes, URLs of unknown
 * scheme, scripts or styles.
 *
 * @example html`<p title="${title}">${name}</p>`.toString()
 */
export const html = (parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html =>
  new Html(parts.map((part, index) => part + render(values[index])).join(''));
