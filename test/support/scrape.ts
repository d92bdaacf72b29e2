import { type Labels, parseSamples } from '../../src/reconciliation/exposition.ts';

/** One scrape, for assertions on single series. The stack tests show that real scrapers can read it. */
export interface Scrape {
  readonly text: string;
  /** The value of the series with exactly these labels; undefined when there is none. */
  value(name: string, labels?: Labels): number | undefined;
  /** The sum over all label sets; 0 when there are none. */
  sum(name: string): number;
  /** The names of the families, from their TYPE lines. */
  readonly families: readonly string[];
  /** The label sets under a name. */
  labelSets(name: string): Labels[];
}

export function parseScrape(text: string): Scrape {
  const samples = parseSamples(text);
  return {
    text,
    value: (name, labels = {}) =>
      samples.find((sample) => sample.name === name && same(sample.labels, labels))?.value,
    sum: (name) => samples.reduce((sum, sample) => (sample.name === name ? sum + sample.value : sum), 0),
    families: Array.from(text.matchAll(/^# TYPE (\S+) /gm), ([, name = '']) => name),
    labelSets: (name) => samples.filter((sample) => sample.name === name).map(({ labels }) => labels),
  };
}

const same = (a: Labels, b: Labels) =>
  Object.keys(a).length === Object.keys(b).length &&
  Object.entries(b).every(([key, value]) => a[key] === value);
