import { createRequire } from 'node:module';

/** The place of each room in the picture: column and row. The arrows follow from the import rules. */
const PLACES: Readonly<Record<string, readonly [column: number, row: number]>> = {
  tokens: [1, 0],
  agents: [1, 1],
  'principal-sessions': [2, 1],
  consent: [3, 1],
  grants: [1, 2],
  audit: [2, 2],
  pages: [3, 2],
  authorization: [4, 2],
  webhooks: [0, 3],
  'grant-token': [1, 3],
  developers: [2, 3],
  policies: [4, 3],
  'signing-keys': [1, 4],
  secrets: [0, 5],
  anomalies: [2, 5],
  system: [3, 5],
  reconciliation: [4, 5],
};
const BOX = { width: 150, height: 34 };
const STEP = { x: 172, y: 78 };
const MARGIN = 20;
const ROOMS_TOP = 122;
const WIDTH = 4 * STEP.x + BOX.width + 2 * MARGIN;
const FOUNDATION_TOP = ROOMS_TOP + 6 * STEP.y - 20;

const rules: { readonly forbidden: readonly { readonly name: string; readonly comment?: string }[] } =
  createRequire(import.meta.url)('../../../.dependency-cruiser.cjs');

/** The other rooms that each room may use by the import rules. `pages` counts as a room here. */
export function arrows(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const room of Object.keys(PLACES)) {
    const { comment } = rules.forbidden.find(({ name }) => name === `part-${room}`) ?? {};
    const [, used = ''] = /uses only: (.*)/.exec(comment ?? '') ?? [];
    if (used === '') throw new Error(`the rules have no room ${room}: take it out of the picture`);
    found.set(
      room,
      used.split(', ').filter((part) => part in PLACES),
    );
  }
  const app = rules.forbidden.find(({ name }) => name === 'part-app')?.comment ?? '';
  const known = app.replace(/^.*uses only: /, '').split(', ');
  const foundation = ['base', 'config', 'db', 'deps', 'http', 'telemetry'];
  const missing = known.filter((part) => !foundation.includes(part) && !found.has(part));
  if (missing.length > 0) throw new Error(`the picture has no place for ${missing.join(', ')}`);
  return found;
}

/** The arrows that do not follow from other arrows. */
function direct(all: ReadonlyMap<string, readonly string[]>): [string, string][] {
  const reaches = (from: string, to: string): boolean =>
    (all.get(from) ?? []).some((next) => next === to || reaches(next, to));
  return [...all].flatMap(([from, used]) =>
    used
      .filter((to) => !used.some((other) => other !== to && reaches(other, to)))
      .map((to): [string, string] => [from, to]),
  );
}

const cornerOf = (room: string) => {
  const [column, row] = PLACES[room] ?? [0, 0];
  return { x: MARGIN + column * STEP.x, y: ROOMS_TOP + row * STEP.y };
};
const box = (text: string, x: number, y: number, width = BOX.width, fill = '#e8effd') =>
  `<rect x="${x}" y="${y}" width="${width}" height="${BOX.height}" rx="6" fill="${fill}" stroke="#5b6b8c"/>` +
  `<text x="${x + width / 2}" y="${y + 22}" text-anchor="middle">${text}</text>`;
const line = (x1: number, y1: number, x2: number, y2: number) =>
  `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="#5b6b8c" stroke-width="1.3" marker-end="url(#tip)"/>`;

function arrow([from, to]: readonly [string, string]): string {
  const [a, b] = [cornerOf(from), cornerOf(to)];
  return line(a.x + BOX.width / 2, a.y + BOX.height, b.x + BOX.width / 2, b.y - 2);
}

/** The picture of the parts of `src`, as SVG. */
export function architecturePicture(): string {
  const all = arrows();
  const start = '#fdf0db';
  const parts = [
    box('main', MARGIN, 20, 90, start),
    line(MARGIN + 90, 37, MARGIN + 118, 37),
    box('service', MARGIN + 120, 20, 90, start),
    line(MARGIN + 210, 37, MARGIN + 238, 37),
    box('app: puts the rooms together', MARGIN + 240, 20, 230, start),
    line(MARGIN + 355, 54, MARGIN + 355, 78),
    box('instrumentation: SDK, exporters, /metrics', WIDTH - MARGIN - 300, 20, 300, '#f3e8fb'),
    `<rect x="${MARGIN - 12}" y="80" width="${WIDTH - 2 * MARGIN + 24}" height="${FOUNDATION_TOP - 100}" rx="8" fill="none" stroke="#c3cbdb" stroke-dasharray="5 4"/>`,
    `<text x="${MARGIN}" y="102" font-weight="600">Rooms: each has its routes, use cases and SQL. An arrow means "uses".</text>`,
    ...direct(all).map(arrow),
    ...[...all.keys()].map((room) => box(room, cornerOf(room).x, cornerOf(room).y)),
    box(
      'Foundation, for every room: http · deps · db · telemetry · config · small files',
      MARGIN - 12,
      FOUNDATION_TOP,
      WIDTH - 2 * MARGIN + 24,
      '#e9f5ea',
    ),
  ];
  const height = FOUNDATION_TOP + BOX.height + MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="Inter, Helvetica, Arial, sans-serif" font-size="13" fill="#1a2233">
<title>The parts of src and their arrows</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#5b6b8c"/></marker></defs>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
${parts.join('\n')}
</svg>
`;
}
