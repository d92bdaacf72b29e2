import { type Anomaly, acknowledgeAnomalyRow, openAnomalies } from '../../src/anomalies/store.ts';
import { createChainWriter } from '../../src/audit/chain-writer.ts';
import { createRequest } from '../../src/authorization/store.ts';
import { loadConfig } from '../../src/config.ts';
import { decideRequest } from '../../src/consent/store.ts';
import type { Database } from '../../src/db/client.ts';
import { revokeGrantTrees } from '../../src/grants/revocation-store.ts';
import { sha256 } from '../../src/hash.ts';
import { systemIds as ids } from '../../src/ids.ts';
import { isRefused } from '../../src/outcome.ts';
import { claimCode } from '../../src/tokens/exchange-store.ts';
import { rotateRefreshToken } from '../../src/tokens/refresh-store.ts';

const MINUTE = 60_000;
const MAX_ATTEMPTS = 5;

/** A grant that is alive, and the secret that refreshes it. */
export interface LivingGrant {
  readonly id: string;
  readonly agentId: string;
  readonly expiresAt: number;
  refreshToken: string;
}

/** What was done, as the counters would have it. */
interface Done {
  requested: number;
  consented: number;
  refreshed: number;
  revoked: number;
  anomalies: number;
  entries: number;
}

const tokenOf = (now: number) => {
  const refreshToken = ids.secret(32);
  const jti = ids.next('tok', now);
  return {
    refreshToken,
    row: {
      jti,
      kid: 'kid',
      refreshHash: sha256(refreshToken),
      tokenSeconds: 86_400,
      traceparent: null,
      maxAttempts: MAX_ATTEMPTS,
    },
  };
};

/** The statements of the service at a simulated time, without HTTP and signatures, and what they came to. */
export function createSimulatedService(
  db: Database,
  clock: { now(): number },
  apiKey: string,
  developerId: string,
) {
  const keyHash = sha256(apiKey);
  const done: Done = { requested: 0, consented: 0, refreshed: 0, revoked: 0, anomalies: 0, entries: 0 };
  const writeChain = createChainWriter({ db, ids, clock, config: loadConfig({}) });

  /** @returns the code, or null where a decision is still needed */
  async function request(agentId: string, principalId: string, grantSeconds: number) {
    const now = clock.now();
    const code = ids.secret(32);
    const id = ids.next('areq', now);
    await createRequest(db, {
      keyHash,
      id,
      agentId,
      principalId,
      scopes: ['calendar:read'],
      redirectUri: null,
      state: null,
      audience: null,
      grantSeconds,
      codeChallenge: null,
      createdAt: new Date(now),
      expiresAt: new Date(now + 10 * MINUTE),
      codeHash: sha256(code),
      codeExpiresAt: new Date(now + 10 * MINUTE),
    });
    done.requested += 1;
    return { id, code };
  }

  async function decide(id: string, decision: 'approved' | 'denied'): Promise<string> {
    const now = clock.now();
    const code = ids.secret(32);
    const yielded =
      decision === 'approved' ? { hash: sha256(code), expiresAt: new Date(now + 10 * MINUTE) } : null;
    await decideRequest(db, { id, developerId, decision, now: new Date(now) }, yielded);
    return code;
  }

  async function exchange(agentId: string, code: string, grantSeconds: number): Promise<LivingGrant | null> {
    const now = clock.now();
    const { refreshToken, row } = tokenOf(now);
    const codeHash = sha256(code);
    const grantId = ids.next('grnt', now);
    const claim = { keyHash, agentId, codeHash, codeChallenge: null, now: new Date(now), grantId, ...row };
    const { grant } = await claimCode(db, claim);
    if (!grant) return null;
    done.consented += 1;
    return {
      id: grant.grantId,
      agentId,
      expiresAt: (Math.floor(now / 1000) + grantSeconds) * 1000,
      refreshToken,
    };
  }

  async function refresh(grant: LivingGrant): Promise<boolean> {
    const now = clock.now();
    const { refreshToken, row } = tokenOf(now);
    const issued = await rotateRefreshToken(db, {
      keyHash,
      agentId: grant.agentId,
      presentedHash: sha256(grant.refreshToken),
      idempotencyHash: null,
      now: new Date(now),
      repeatableSince: new Date(now - 5 * MINUTE),
      ...row,
    });
    if (!issued.grant) return false;
    done.refreshed += 1;
    grant.refreshToken = refreshToken;
    return true;
  }

  async function revoke(grantId: string): Promise<void> {
    const now = clock.now();
    const outbox = { seed: ids.next('evt', now), traceparent: null, maxAttempts: MAX_ATTEMPTS };
    const revocation = { developerId, grantId, now: new Date(now), revokedBy: 'developer' as const };
    const rows = await db.transaction((tx) => revokeGrantTrees(tx, revocation, outbox));
    done.revoked += rows?.length ?? 0;
  }

  async function log(agentId: string, grantId: string): Promise<void> {
    const input = {
      agentDid: undefined,
      principalId: undefined,
      status: 'success' as const,
      metadata: { n: 1 },
    };
    const outcome = await writeChain(developerId, { ...input, agentId, grantId, action: 'calendar.read' });
    if (isRefused(outcome)) throw new Error('the entry was refused');
    done.entries += 1;
  }

  /** Opens an anomaly, and acknowledges it. */
  async function anomaly(agentId: string, principalId: string): Promise<void> {
    const now = new Date(clock.now());
    const found = {
      id: ids.next('anm', now.getTime()),
      developerId,
      type: 'new_principal',
      severity: 'low',
    } as const;
    const opened: Pick<Anomaly, 'id'>[] = await openAnomalies(
      db,
      [{ ...found, agentId, principalId, description: '', metadata: {}, at: now }],
      now,
    );
    for (const { id } of opened) await acknowledgeAnomalyRow(db, { developerId, id, now, notes: null });
    done.anomalies += opened.length;
  }

  return { done, request, decide, exchange, refresh, revoke, log, anomaly };
}
