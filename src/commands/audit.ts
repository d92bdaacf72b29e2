/** `npm run audit -- verify`: every audit chain of the database, compared with its checkpoints. */
import { developersAfter } from '../audit/chain-store.ts';
import { type Verification, verifyChain } from '../audit/verify-chain.ts';
import { ConfigError, loadConfig } from '../config.ts';
import { hasCluster } from '../data-dir.ts';
import type { Database } from '../db/client.ts';
import { publicJwkOf } from '../signing-keys/public-jwk.ts';
import type { PublicJwk } from '../signing-keys/store.ts';
import { type TableRow, textTable } from '../text-table.ts';
import { readWords } from './read-words.ts';
import { runCommand, usageError } from './run-command.ts';
import { withDatabase } from './with-database.ts';

const USAGE = `usage: npm run audit -- verify

Recomputes the audit chain of every developer (DATABASE_URL, or the embedded one), and compares it with its checkpoints; also
beside a running service. It only reads.
Exit codes: 0 all chains are intact; 1 one is broken, or it failed; 2 bad usage; 78 bad configuration.

  --help
`;
const BROKEN = 1;
const AT_ONCE = 500;

await runCommand(async (print) => {
  const words = readWords(process.argv.slice(2));
  if (!words) return print(USAGE.trimEnd());
  if (words[0] !== 'verify' || words.length > 1) throw usageError('The command must be verify');
  const config = loadConfig(process.env, { sealing: false });
  if (config.databaseUrl === null && !hasCluster(config.dataDir))
    throw new ConfigError([`DATA_DIR: there is no database in ${config.dataDir}; set it, or DATABASE_URL`]);
  const published = (config.signingKeys ?? []).flatMap((key) => publicJwkOf(key) ?? []);
  await withDatabase(config, (db) => verifyAll(db, published, print));
});

async function verifyAll(
  db: Database,
  published: readonly PublicJwk[],
  print: (text: string) => void,
): Promise<void> {
  const rows: TableRow[] = [];
  const broken: string[] = [];
  for await (const developerId of allDevelopers(db)) {
    const found = await verifyChain({ db, published: () => published }, { developerId });
    // Most developers log nothing.
    if (found.valid && found.head === null) continue;
    rows.push(rowOf(developerId, found));
    if (!found.valid) broken.push(`${developerId}: ${describeBreak(found)}`);
  }
  print(rows.length === 0 ? 'no chain has an entry' : textTable(rows).trimEnd());
  if (broken.length === 0) return;
  print(`\nbroken: ${broken.length} of ${rows.length}\n${broken.join('\n')}`);
  process.exitCode = BROKEN;
}

async function* allDevelopers(db: Database): AsyncGenerator<string> {
  for (let after = ''; ; ) {
    const ids = await developersAfter(db, after, AT_ONCE);
    yield* ids;
    const last = ids.at(-1);
    if (last === undefined) return;
    after = last;
  }
}

function rowOf(developer: string, found: Verification): TableRow {
  return {
    developer,
    chain: found.valid ? 'intact' : 'BROKEN',
    'entries checked': found.checkedEntries,
    'checkpoints checked': found.checkedCheckpoints,
    'last entry checked': found.head?.entryId ?? '',
    'first broken': found.valid ? '' : (found.firstBrokenAt ?? 'no entry is left'),
  };
}

function describeBreak({ firstBrokenAt, reason }: Verification): string {
  if (firstBrokenAt === null) return 'its entries are gone';
  return reason === 'link'
    ? `at ${firstBrokenAt} an entry is missing, or one was put in`
    : `${firstBrokenAt} is not what was appended`;
}
