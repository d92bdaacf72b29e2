import type { IncomingHttpHeaders } from 'node:http';
import type { Format } from './exposition-text.ts';

/** A representation of the exposition. */
export interface Variant {
  readonly format: Format;
  readonly gzip: boolean;
}

/** One element of an `Accept` header, in small letters. */
interface Choice {
  readonly name: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly weight: number;
}

/**
 * Chooses by `Accept` and `Accept-Encoding` with their weights (RFC 9110 §12.5). OpenMetrics is for those who name it and prefer
 * it; everybody else gets text 0.0.4, those who can take neither included, because an exposition is of more use than a 406.
 */
export function negotiate({ accept, 'accept-encoding': encodings }: IncomingHttpHeaders): Variant {
  const types = choicesOf(accept);
  const openMetrics = heaviest(types, 'application/openmetrics-text', '1.0.0');
  const exact = heaviest(types, 'text/plain', '0.0.4');
  const text = exact ?? heaviest(types, 'text/*') ?? heaviest(types, '*/*') ?? 0;
  const codings = choicesOf(String(encodings ?? ''));
  return {
    format: openMetrics !== undefined && openMetrics > 0 && openMetrics >= text ? 'openmetrics' : 'text',
    gzip: (heaviest(codings, 'gzip') ?? heaviest(codings, '*') ?? 0) > 0,
  };
}

function choicesOf(header = ''): Choice[] {
  return header
    .toLowerCase()
    .split(',')
    .map((element) => {
      const [name = '', ...rest] = element.split(';').map((part) => part.trim());
      const parameters = new Map(
        rest.map((parameter) => {
          const [key = '', value = ''] = parameter.split('=');
          return [key.trim(), value.trim().replace(/^"(.*)"$/, '$1')] as const;
        }),
      );
      const weight = Number(parameters.get('q') ?? 1);
      return { name, parameters, weight: weight >= 0 && weight <= 1 ? weight : 0 };
    });
}

/** The greatest weight of a name; undefined: it is not there. A version that is asked for must be `version`. */
function heaviest(choices: readonly Choice[], name: string, version?: string): number | undefined {
  const fitting = choices.filter(
    (choice) => choice.name === name && [undefined, version].includes(choice.parameters.get('version')),
  );
  return fitting.length === 0 ? undefined : Math.max(...fitting.map(({ weight }) => weight));
}
