import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { readOptions } from '../command-line.ts';
import { bundleService } from './bundle.ts';

const USAGE = `usage: npm run build

Writes the service in a few files to dist, as the image has it: it starts in half of the time and takes less memory. Start it with
node --import ./dist/register.js dist/main.js and the flags of npm start. Migrations and pages are still read from src.

  --help
`;
const DIST = fileURLToPath(new URL('../../../dist', import.meta.url));

readOptions(USAGE, {});
await rm(DIST, { recursive: true, force: true });
await bundleService(DIST);
