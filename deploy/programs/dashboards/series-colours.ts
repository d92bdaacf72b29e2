import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { paint, shade } from './colours.ts';

/** Grafana's classic palette, by the place of a series in its panel. */
const CLASSIC = [
  '#7eb26d',
  '#eab839',
  '#6ed0e0',
  '#ef843c',
  '#e24d42',
  '#1f78c1',
  '#ba43a9',
  '#705da0',
  '#508642',
  '#cca300',
] as const;

/** The colour that Grafana gives a series of a panel: that of its override, or that of its place. */
export function colourOf(panel: Panel, name: string, index: number): string {
  for (const { matcher, properties } of panel.fieldConfig?.overrides ?? []) {
    const colour = properties.find(({ id }) => id === 'color')?.value;
    const matches =
      matcher.id === 'byName'
        ? matcher.options === name
        : matcher.id === 'byRegexp' && new RegExp(matcher.options.slice(1, -1)).test(name);
    if (colour && matches)
      return colour.mode === 'shades' ? shade(colour.fixedColor, index) : paint(colour.fixedColor);
  }
  return CLASSIC[index % CLASSIC.length] ?? CLASSIC[0];
}
