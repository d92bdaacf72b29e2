import { allowedImports, FOUNDATION } from './rules-of-imports.ts';

/** Where each module stands in the picture: column and row. The arrows follow from the rules of imports. */
const PLACES: Readonly<Record<string, readonly [column: number, row: number]>> = {
  oauth: [0, 0],
  tokens: [1, 0],
  operators: [0, 1],
  agents: [1, 1],
  'principal-sessions': [2, 1],
  consent: [3, 1],
  grants: [1, 2],
  audit: [2, 2],
  compliance: [4, 1],
  pages: [3, 2],
  authorization: [4, 2],
  webhooks: [0, 3],
  'grant-token': [1, 3],
  developers: [2, 3],
  policies: [4, 3],
  'signing-keys': [1, 4],
  secrets: [0, 5],
  anomalies: [3, 0],
  retention: [2, 0],
  system: [3, 5],
  tallies: [3, 4],
  reconciliation: [4, 5],
  revocations: [1, 5],
  events: [2, 4],
  feed: [2, 5],
};
const BOX = { width: 150, height: 34 };
const STEP = { x: 172, y: 78 };
const MARGIN = 20;
const MODULES_TOP = 122;
const WIDTH = 4 * STEP.x + BOX.width + 2 * MARGIN;
const FOUNDATION_TOP = MODULES_TOP + 6 * STEP.y - 20;

/** Which other modules each module may import. */
export function importsOfModules(): ReadonlyMap<string, readonly string[]> {
  const allowed = allowedImports();
  const modules = new Map(
    Object.keys(PLACES).map((module): [string, readonly string[]] => {
      const imports = allowed.get(module);
      if (!imports) throw new Error(`the rules have no module ${module}: take it out of the picture`);
      return [module, imports.filter((part) => part in PLACES)];
    }),
  );
  const missing = (allowed.get('app') ?? []).filter(
    (part) => !FOUNDATION.includes(part) && !modules.has(part),
  );
  if (missing.length > 0) throw new Error(`the picture has no place for ${missing.join(', ')}`);
  return modules;
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

const cornerOf = (module: string) => {
  const [column, row] = PLACES[module] ?? [0, 0];
  return { x: MARGIN + column * STEP.x, y: MODULES_TOP + row * STEP.y };
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
  const all = importsOfModules();
  const start = '#fdf0db';
  const parts = [
    box('main', MARGIN, 20, 90, start),
    line(MARGIN + 90, 37, MARGIN + 118, 37),
    box('service', MARGIN + 120, 20, 90, start),
    line(MARGIN + 210, 37, MARGIN + 238, 37),
    box('app: puts the modules together', MARGIN + 240, 20, 230, start),
    line(MARGIN + 355, 54, MARGIN + 355, 78),
    box('instrumentation: SDK, exporters, /metrics', WIDTH - MARGIN - 300, 20, 300, '#f3e8fb'),
    `<rect x="${MARGIN - 12}" y="80" width="${WIDTH - 2 * MARGIN + 24}" height="${FOUNDATION_TOP - 100}" rx="8" fill="none" stroke="#c3cbdb" stroke-dasharray="5 4"/>`,
    `<text x="${MARGIN}" y="102" font-weight="600">Modules: one capability each. An arrow means &quot;may import&quot;.</text>`,
    ...direct(all).map(arrow),
    ...[...all.keys()].map((module) => box(module, cornerOf(module).x, cornerOf(module).y)),
    box(
      'Foundation, for every module: http · deps · db · telemetry · config · base',
      MARGIN - 12,
      FOUNDATION_TOP,
      WIDTH - 2 * MARGIN + 24,
      '#e9f5ea',
    ),
  ];
  const height = FOUNDATION_TOP + BOX.height + MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="Inter, Helvetica, Arial, sans-serif" font-size="13" fill="#1a2233">
<title>The parts of src, and what each may import</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#5b6b8c"/></marker></defs>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
${parts.join('\n')}
</svg>
`;
}
