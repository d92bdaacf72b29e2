/** The size of an area to draw in, in pixels. */
export interface Box {
  readonly width: number;
  readonly height: number;
}

type Attributes = Readonly<Record<string, string | number>>;

/** `inner` must be markup; it is not escaped. */
export const element = (name: string, attributes: Attributes, inner = ''): string =>
  `<${name}${Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${escaped(String(value))}"`)
    .join('')}>${inner}</${name}>`;

export const text = (content: string, attributes: Attributes): string =>
  element('text', { fill: '#24292e', ...attributes }, escaped(content));

const escaped = (raw: string): string =>
  raw.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
