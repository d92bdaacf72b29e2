// What the standard variables of OpenTelemetry may say whose value the packages of the SDK read themselves.
import { readFileSync } from 'node:fs';
import { Fault, type Parser } from './values.ts';

/** The longest name and value that the SDK takes; one beyond it costs all of them. */
const LONGEST_ATTRIBUTE = 255;

const ATTRIBUTES = new Fault(
  `name=value, comma separated, with "%", "," and "=" of names and values percent encoded, each at most ${LONGEST_ATTRIBUTE} characters`,
);
const HEADERS = new Fault(
  'name=value, comma separated, with "%", "," and ";" of values percent encoded, like authorization=Bearer%20x',
);

/** Attributes of the resource, as the OpenTelemetry specification writes them. The SDK discards all for one that is wrong. */
export const resourcePairs: Parser<string> = (text) =>
  entries(text).every((entry) => {
    const parts = entry.split('=').map((part) => decoded(part.trim()));
    const [name, value] = parts;
    return parts.length === 2 && fits(name) && name !== '' && fits(value);
  })
    ? text
    : ATTRIBUTES;

/** Headers of an exporter. The SDK leaves out each that it cannot read, and what follows a ";". */
export const headerPairs: Parser<string> = (text) =>
  entries(text).every((entry) => {
    const at = entry.indexOf('=');
    const [name, value] = [
      decoded(entry.slice(0, Math.max(at, 0)).trim()),
      decoded(entry.slice(at + 1).trim()),
    ];
    // RFC 9110 §5.1 and §5.5: a token, and visible characters with blanks between them.
    return (
      at > 0 &&
      !entry.includes(';') &&
      /^[\w!#$%&'*+.^`|~-]+$/.test(name ?? '') &&
      /^[!-~](?:[ -~]*[!-~])?$/.test(value ?? '')
    );
  })
    ? text
    : HEADERS;

/** The path of a file, relative to the working directory. The SDK would go on without it. */
export const readableFile: Parser<string> = (path) => {
  try {
    readFileSync(path);
    return path;
  } catch {
    return new Fault('the path of a readable file');
  }
};

const entries = (text: string): string[] => text.split(',').filter((entry) => entry.trim() !== '');

const fits = (text: string | undefined): boolean => text !== undefined && text.length <= LONGEST_ATTRIBUTE;

/** undefined: the text is not percent encoded. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
