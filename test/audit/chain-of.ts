import { exportJWK, generateKeyPair } from 'jose';
import { createChainWriter } from '../../src/audit/chain-writer.ts';
import { makeCheckpoints } from '../../src/audit/make-checkpoints.ts';
import { type Verification, verifyChain } from '../../src/audit/verify-chain.ts';
import type { Database } from '../../src/db/client.ts';
import { systemIds } from '../../src/ids.ts';
import { isRefused } from '../../src/outcome.ts';
import { fileKeyRing } from '../../src/signing-keys/file-key-ring.ts';
import type { KeyRing } from '../../src/signing-keys/key-ring.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openTestDatabase } from '../support/open-database.ts';

export const ISSUER = 'https://auth.example';
const HOUR = 3_600_000;

/** A key ring as SIGNING_KEYS_FILE makes it. */
export async function newKeyRing(kid: string): Promise<KeyRing> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return fileKeyRing([{ ...(await exportJWK(privateKey)), kid, alg: 'ES256' }]);
}

/** The writer, the checkpoints and the verification of chains, with a clock of their own. */
export interface Chains {
  readonly database: TestDatabase;
  readonly db: Database;
  keys: KeyRing;
  now: number;
  /** A developer with a chain: entries at these minutes, and the checkpoints of the hours that have ended then. */
  chain(minutes: readonly number[]): Promise<{ developerId: string; ids: string[] }>;
  append(developerId: string, fields?: object): Promise<string>;
  makeCheckpoints(): Promise<void>;
  verify(developerId: string, times?: { since?: Date; until?: Date }): Promise<Verification>;
  close(): Promise<void>;
}

export async function openChains(): Promise<Chains> {
  const database = await createTestDatabase();
  const db = await openTestDatabase(database);
  const start = Date.parse('2026-03-01T10:00:00.000Z');
  let developers = 0;
  const chains: Chains = {
    database,
    db,
    keys: await newKeyRing('first'),
    now: start,
    async chain(minutes) {
      const developerId = `dev_${++developers}`;
      await database.sql`insert into developers (id, name, mode, api_key_hash, created_at)
        values (${developerId}, 'D', 'live', ${Buffer.from(developerId)}, now())`;
      const ids: string[] = [];
      for (const minute of minutes) {
        chains.now = start + minute * 60_000;
        ids.push(await chains.append(developerId));
      }
      chains.now += HOUR;
      await chains.makeCheckpoints();
      return { developerId, ids };
    },
    async append(developerId, fields = {}) {
      const written = await write(developerId, {
        agentId: 'ag_1',
        agentDid: 'did:web:agent',
        grantId: 'grnt_1',
        principalId: 'user_1',
        action: 'mail.sent',
        status: 'success',
        metadata: { to: ['a', 'é'], n: 1.5 },
        ...fields,
      });
      if (isRefused(written)) throw written.refusal;
      return written.value.row.id;
    },
    async makeCheckpoints() {
      const deps = { db, clock: { now: () => chains.now }, keys: chains.keys, issuer: () => ISSUER };
      const fail = (error: unknown) => {
        throw error;
      };
      while (await makeCheckpoints(deps, fail));
    },
    verify: (developerId, times = {}) =>
      verifyChain({ db, published: () => chains.keys.published() }, { developerId, ...times }),
    async close() {
      await db.close(1000);
      await database.drop();
    },
  };
  const write = createChainWriter({
    db,
    ids: systemIds,
    clock: { now: () => chains.now },
    config: { maxAuditEntriesPerDay: 1_000_000 },
  });
  return chains;
}
