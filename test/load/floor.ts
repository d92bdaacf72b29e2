/**
 * The floor of the benchmark: a bare `node:http` server that does only what the service cannot leave out. It reads the
 * JSON body, hashes the key, asks the same statements in the same batches through the same pool, signs with the same key,
 * and answers with the same bytes. It has no limits, no validation, no routing and no telemetry. The service's CPU time is
 * measured as a multiple of this one. It takes the service's environment, and writes its URL to standard output.
 */
import { randomUUID, subtle } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import helmet from 'helmet';
import { CODE_LIFE_MS } from '../../src/authorization/code.ts';
import { createRequest } from '../../src/authorization/store.ts';
import { systemClock } from '../../src/clock.ts';
import { loadConfig } from '../../src/config.ts';
import { openDatabase } from '../../src/db/client.ts';
import { durationSeconds } from '../../src/duration.ts';
import { grantClaims, type TokenSubject } from '../../src/grant-token/claims.ts';
import type { NewToken } from '../../src/grant-token/issue-token.ts';
import { createTokenReader } from '../../src/grant-token/read-grant-token.ts';
import { sha256 } from '../../src/hash.ts';
import { constantHeaders } from '../../src/http/headers.ts';
import { agentDid, systemIds as ids } from '../../src/ids.ts';
import { createSealer } from '../../src/secrets/sealing.ts';
import { loadSecretKey } from '../../src/secrets/secret-key.ts';
import { databaseKeyRing, type Signer } from '../../src/signing-keys/key-ring.ts';
import { NO_DATABASE_TELEMETRY } from '../../src/telemetry/database.ts';
import { claimCode } from '../../src/tokens/exchange-store.ts';
import { rotateRefreshToken } from '../../src/tokens/refresh-store.ts';
import { loadTokenState } from '../../src/tokens/store.ts';

/** A request's body. The load generator sends only valid ones. */
interface Body {
  readonly token: string;
  readonly code: string;
  readonly refreshToken: string;
  readonly agentId: string;
  readonly principalId: string;
  readonly scopes: readonly string[];
  readonly redirectUri?: string;
  readonly state?: string;
}

type Handler = (keyHash: Buffer, body: Body) => Promise<object>;

const TEN_MINUTES_MS = 600_000;
const FIVE_MINUTES_MS = 300_000;

const config = loadConfig(process.env);
const fail = (error: unknown): never => {
  throw error;
};
const db = openDatabase({
  url: process.env['DATABASE_URL'] ?? '',
  poolMax: config.databasePoolMax,
  telemetry: NO_DATABASE_TELEMETRY,
  onConnectionError: fail,
});
const sealer = createSealer(await loadSecretKey(config));
const { signingAlgorithm: algorithm } = config;
const nobody = { added: () => undefined, revoked: () => undefined };
const keys = await databaseKeyRing({ db, sealer, clock: systemClock, algorithm }, fail, nobody);
const issuer = config.jwtIssuer ?? '';
const readGrantToken = createTokenReader({ keys, issuer: () => issuer, clock: systemClock });
const headers = constantHeaders(helmet());

const HANDLERS: Readonly<Record<string, { readonly status: number; readonly handle: Handler }>> = {
  '/v1/tokens/verify': { status: 200, handle: verify },
  '/v1/authorize': { status: 201, handle: authorize },
  '/v1/token': { status: 201, handle: exchange },
  '/v1/token/refresh': { status: 201, handle: refresh },
};

async function verify(keyHash: Buffer, { token }: Body): Promise<object> {
  const read = await readGrantToken(token);
  if (!read.valid) throw new Error(read.reason);
  const { jti, grnt } = read.claims;
  const state = await loadTokenState(db, { keyHash, jti });
  const lives = state.expiresAt !== null && state.expiresAt.getTime() > Date.now();
  const own = state.ownerId !== null && state.ownerId === state.developerId && state.grantId === grnt;
  if (!own || !lives || state.tokenRevoked || state.grantRevoked || state.agentStatus !== 'active')
    throw new Error('the token is not valid');
  return {
    valid: true,
    grantId: grnt,
    scopes: state.scopes,
    principal: state.principalId,
    agent: agentDid(state.agentId ?? ''),
    expiresAt: state.expiresAt,
  };
}

async function authorize(keyHash: Buffer, body: Body): Promise<object> {
  const now = Date.now();
  const { agentId, principalId, scopes } = body;
  const id = ids.next('areq', now);
  const code = ids.secret(32);
  const [createdAt, expiresAt] = [new Date(now), new Date(now + TEN_MINUTES_MS)];
  const found = await createRequest(db, {
    agentId,
    principalId,
    scopes,
    redirectUri: body.redirectUri ?? null,
    state: body.state ?? null,
    audience: null,
    grantSeconds: durationSeconds('24h'),
    codeChallenge: null,
    keyHash,
    id,
    createdAt,
    expiresAt,
    codeHash: sha256(code),
    codeExpiresAt: new Date(now + CODE_LIFE_MS),
  });
  if (found.agentStatus !== 'active' || !found.scopesAllowed) throw new Error('the request was not stored');
  return {
    authRequestId: id,
    consentUrl: `${config.publicUrl ?? 'http://localhost:3000'}/consent?req=${id}`,
    expiresAt,
    agentId,
    principalId,
    scopes,
    expiresIn: '24h',
    status: 'pending',
    createdAt,
    ...(found.mode === 'sandbox' && { sandbox: true, code }),
  };
}

async function exchange(keyHash: Buffer, { code, agentId }: Body): Promise<object> {
  const now = Date.now();
  const prepared = prepare(now);
  const { grant } = await claimCode(db, {
    keyHash,
    agentId,
    codeHash: sha256(code),
    codeChallenge: null,
    now: new Date(now),
    grantId: ids.next('grnt', now),
    ...prepared.row,
  });
  return issue(prepared, grant);
}

async function refresh(keyHash: Buffer, { refreshToken, agentId }: Body): Promise<object> {
  const now = Date.now();
  const prepared = prepare(now);
  const { grant } = await rotateRefreshToken(db, {
    keyHash,
    agentId,
    presentedHash: sha256(refreshToken),
    idempotencyHash: null,
    now: new Date(now),
    repeatableSince: new Date(now - FIVE_MINUTES_MS),
    ...prepared.row,
  });
  return issue(prepared, grant);
}

interface Prepared {
  readonly row: NewToken;
  readonly refreshToken: string;
  readonly signer: Signer;
}

function prepare(now: number): Prepared {
  const signer = keys.signer();
  const refreshToken = `ref_${ids.secret(32)}`;
  const row = {
    jti: ids.next('tok', now),
    kid: signer.kid,
    refreshHash: sha256(refreshToken),
    tokenSeconds: config.grantTokenMaxSeconds,
    traceparent: null,
    maxAttempts: config.webhookMaxAttempts,
  };
  return { row, refreshToken, signer };
}

async function issue({ row, refreshToken, signer }: Prepared, grant: TokenSubject | null): Promise<object> {
  if (grant === null) throw new Error('the credential is not valid');
  const { expiresAt, grantExpiresAt, scopes, grantId } = grant;
  const grantToken = await signed(signer, {
    iss: issuer,
    ...grantClaims(grant),
    iat: Math.floor(Date.now() / 1000),
    exp: Math.floor(expiresAt.getTime() / 1000),
    jti: row.jti,
  });
  return { grantToken, expiresAt, grantExpiresAt, scopes, refreshToken, grantId };
}

/** A compact JWS (RFC 7515 §7.1), signed on the thread pool as the service does. */
async function signed({ kid, alg, key }: Signer, claims: object): Promise<string> {
  const header = { alg, typ: config.grantTokenType, kid };
  const input = `${base64url(header)}.${base64url(claims)}`;
  const parameters = { name: key.algorithm.name, hash: 'SHA-256' };
  const signature = await subtle.sign(parameters, key, Buffer.from(input));
  return `${input}.${Buffer.from(signature).toString('base64url')}`;
}

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function readBody(req: IncomingMessage): Promise<Body> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
  });
}

const server = createServer(async (req, res) => {
  const found = HANDLERS[req.url ?? ''];
  if (!found) {
    res.writeHead(404).end();
    return;
  }
  try {
    const keyHash = sha256((req.headers.authorization ?? '').slice('Bearer '.length));
    const text = JSON.stringify(await found.handle(keyHash, await readBody(req)));
    res.writeHead(found.status, {
      ...headers,
      'x-request-id': randomUUID(),
      'cache-control': 'no-store',
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(Buffer.byteLength(text)),
    });
    res.end(text);
  } catch (error) {
    res.writeHead(500).end(String(error));
  }
});
server.listen(config.port, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
