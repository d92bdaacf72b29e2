export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** The samples of Prometheus text as this service writes it: no times, no escapes in label values that anybody looks for. */
export const parseSamples = (text: string): Sample[] =>
  text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = SAMPLE.exec(line) ?? [];
    if (name === undefined || line.startsWith('#')) return [];
    const pairs = Array.from(labels.matchAll(LABEL), ([, key, of]) => [key, of]);
    return [{ name, labels: Object.fromEntries(pairs) as Labels, value: Number(value) }];
  });
