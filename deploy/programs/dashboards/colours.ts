import { LIMITER_NAMES } from '../../../src/config.ts';
import {
  ADMIN_CHANGES,
  ANOMALY_SEVERITIES,
  AUTHENTICATION_REASONS,
  CREDENTIALS,
  RETENTION_TABLES,
} from '../../../src/label-values.ts';
import { OBJECTIVES, WINDOWS } from './objectives.ts';

/** Grafana's names of colours that mean something, with the values of its light theme for the pictures. */
export const PAINTS: Readonly<Record<string, string>> = {
  green: '#3a9a44',
  'light-green': '#7cc576',
  'dark-green': '#1f6b2a',
  red: '#d0303e',
  'light-red': '#ef7f88',
  'dark-red': '#8f1420',
  'super-light-red': '#f7b5ba',
  orange: '#e8811a',
  'dark-orange': '#b35400',
  yellow: '#e0b400',
  'super-light-orange': '#f7c58a',
  blue: '#2f6fc4',
};

/** Colours that mean success, failure and warning. No other series has them. */
export const MEANINGS = {
  good: ['green', 'light-green', 'dark-green'],
  bad: ['red', 'light-red', 'dark-red', 'super-light-red'],
  warning: ['orange', 'dark-orange', 'yellow', 'super-light-orange'],
} as const;

/** Colours that mean nothing. They differ from each other and from those above, on a light and on a dark background. */
export const NEUTRAL = [
  '#4a84e0',
  '#a667cf',
  '#1f9e9e',
  '#d8559b',
  '#94693c',
  '#71808f',
  '#6663d9',
  '#6cb8ea',
] as const;

/** The neutral colour of a place in a list, which may be longer than the palette: it then becomes lighter. */
const neutral = (index: number): string =>
  tint(NEUTRAL[index % NEUTRAL.length] ?? NEUTRAL[0], Math.floor(index / NEUTRAL.length));

/** A lighter variant for each step; 0 is the colour itself. */
function tint(hex: string, step: number): string {
  const share = 1 - 0.68 ** step;
  const mixed = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16);
    return Math.round(part + (255 - part) * share)
      .toString(16)
      .padStart(2, '0');
  });
  return `#${mixed.join('')}`;
}

const inOrder = (names: readonly string[]): [string, string][] =>
  names.map((name, index) => [name, neutral(index)]);

/** The hue of what was done, lighter with each object to which it can be done. */
const changes = (): [string, string][] => {
  const kinds = [...new Set(Object.values(ADMIN_CHANGES).flat())];
  return Object.entries(ADMIN_CHANGES).flatMap(([object, its]) =>
    its.map((change): [string, string] => {
      const objects = Object.entries(ADMIN_CHANGES).filter(([, all]) =>
        (all as readonly string[]).includes(change),
      );
      const step = objects.findIndex(([name]) => name === object);
      return [`${object} ${change}`, tint(neutral(kinds.indexOf(change)), step)];
    }),
  );
};

/** The worse an anomaly, the more its colour warns. */
const anomalies = (): [string, string][] => {
  const left = { high: [...MEANINGS.bad], medium: [...MEANINGS.warning], low: [...NEUTRAL] };
  return Object.entries(ANOMALY_SEVERITIES).map(([type, severity]) => [
    `${type} (${severity})`,
    left[severity].shift() ?? NEUTRAL[0],
  ]);
};

/**
 * The colour of every series whose name is known in advance, by that name. A series has the same colour in every
 * panel, because all panels take it from here.
 */
const COLOURS: ReadonlyMap<string, string> = new Map([
  ...inOrder(LIMITER_NAMES),
  ...inOrder(RETENTION_TABLES),
  ...inOrder(OBJECTIVES),
  ...OBJECTIVES.flatMap((objective, index) =>
    Object.values(WINDOWS).flatMap((windows) =>
      windows.map((window, step): [string, string] => [`${objective} ${window}`, tint(neutral(index), step)]),
    ),
  ),
  ...CREDENTIALS.flatMap((credential, step) =>
    AUTHENTICATION_REASONS.map((reason, index): [string, string] => [
      `${credential} ${reason}`,
      tint(neutral(index), step),
    ]),
  ),
  ...changes(),
  ...anomalies(),
  ...Object.entries({
    success: 'green',
    delivered: 'green',
    approved: 'green',
    error: 'red',
    failed: 'red',
    denied: 'orange',
    'verify: valid': 'green',
    'verify: invalid': 'red',
    'refresh: success': 'light-green',
    'refresh: error': 'dark-red',
    p50: NEUTRAL[0],
    p99: NEUTRAL[1],
    exchange: NEUTRAL[0],
    active: NEUTRAL[0],
    'made by consent': NEUTRAL[0],
    'made by delegation': NEUTRAL[7],
    revoked: 'orange',
    'due for': NEUTRAL[0],
    opened: 'orange',
    all: 'orange',
    'all but expired': 'orange',
    '2xx': 'green',
    '3xx': NEUTRAL[0],
    '4xx': 'orange',
    '5xx': 'red',
    timeout: 'dark-orange',
    refused: 'light-red',
    blocked: 'yellow',
    traces: 'red',
    logs: 'light-red',
    stdout: 'dark-red',
    statement_timeout: 'red',
    lock_timeout: 'orange',
    idle_in_transaction: 'yellow',
    cancel: 'dark-red',
    stream: NEUTRAL[0],
    poll: NEUTRAL[1],
    main: NEUTRAL[0],
    side: NEUTRAL[1],
    background: NEUTRAL[2],
    'main: used': NEUTRAL[0],
    'side: used': NEUTRAL[1],
    'background: used': NEUTRAL[2],
    'main: idle': tint(NEUTRAL[0], 2),
    'side: idle': tint(NEUTRAL[1], 2),
    'background: idle': tint(NEUTRAL[2], 2),
  }),
]);

/** @throws when no colour was chosen for the series */
export function colourOfSeries(name: string): string {
  const colour = COLOURS.get(name);
  if (colour === undefined) throw new Error(`no colour was chosen for the series "${name}"`);
  return colour;
}

/** The value of a colour that a dashboard names. */
export const paint = (colour: string): string => PAINTS[colour] ?? colour;

/** Grafana's variants of one colour, by the place of a series in its panel. This is close to them, for the pictures. */
export const shade = (colour: string, index: number): string => tint(paint(colour), (index % 6) * 0.7);
