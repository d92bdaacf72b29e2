import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An /etc/hosts for a single process. */
export interface NameTable {
  readonly path: string;
  /** From now on `localhost` has this address. */
  moveTo(address: string): Promise<void>;
  remove(): Promise<void>;
}

export async function makeNameTable(address: string): Promise<NameTable> {
  const directory = await mkdtemp(join(tmpdir(), 'grantex-names-'));
  const path = join(directory, 'hosts');
  // The file is written in place, because exactly this file is mounted.
  const moveTo = (to: string) => writeFile(path, `${to} localhost\n`);
  await moveTo(address);
  return { path, moveTo, remove: () => rm(directory, { recursive: true, force: true }) };
}

/** Runs a command and its children with this table instead of the machine's. Needs `unshare`. */
export const withNames = (table: NameTable, command: readonly string[]): string[] => [
  'unshare',
  ...(process.getuid?.() === 0 ? [] : ['--map-root-user']),
  '--mount',
  'sh',
  '-euc',
  'mount --bind "$0" /etc/hosts && exec "$@"',
  table.path,
  ...command,
];
