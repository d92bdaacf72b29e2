/**
 * The revocation feed: what lets a verifier work offline and still see a revocation within seconds. Tables:
 * `revocation_outbox`, `revocation_agents`, which triggers of the schema write, `revocation_entries`, and the row of
 * `feed_positions`. `numbering-store.ts` numbers entries, `entry-store.ts` reads them. No other room calls this one.
 */
import { Type } from 'typebox';
import { badRequest } from '../errors.ts';
import { NAMED_EVENTS } from '../feed/event-stream.ts';
import { serveStream, shareFrames } from '../feed/serve-stream.ts';
import { waitForEntries } from '../feed/wait-for-entries.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { headersOf } from '../http/headers.ts';
import { ok, type Reply, send } from '../http/reply.ts';
import { Timestamp } from '../http/schemas.ts';
import { isRefused, mapOutcome } from '../outcome.ts';
import { type Entry, entryView } from './entry.ts';
import {
  assertReadable,
  currentCursor,
  entryFrame,
  type FeedDeps,
  isPageToken,
  openAfter,
  readAfter,
  type Snapshot,
  takeSnapshot,
} from './follow-feed.ts';

const LONGEST_WAIT_SECONDS = 30;
const CURSOR = { minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const Cursor = Type.Integer(CURSOR);
const EntryView = Type.Object({
  seq: Cursor,
  action: Type.Enum(['revoked', 'suspended', 'resumed', 'token_revoked']),
  grantId: Type.String(),
  jti: Type.Optional(Type.String()),
  expiresAt: Timestamp,
  at: Timestamp,
});
const PageView = Type.Object({
  entries: Type.Array(EntryView),
  cursor: Cursor,
  nextPageToken: Type.Optional(Type.String()),
});

const snapshotView = ({ entries, ...rest }: Snapshot) => ({ entries: entries.map(entryView), ...rest });
const pageReply = (entries: readonly Entry[], cursor: number): Reply => ({
  status: 200,
  json: { entries: entries.map(entryView), cursor },
});

export const revocationRoutes = (deps: FeedDeps): Endpoint[] => {
  if (!deps.config.revocationFeed) return [];
  const encode = shareFrames(entryFrame);
  const { revocations: follower, heldConnections: held } = deps;
  const { background } = deps.db;
  return [
    endpoint({
      method: 'get',
      path: '/v1/revocations',
      summary:
        'What is revoked or suspended (without `since`), or what came after a cursor, at once or within `wait` seconds',
      access: 'developer',
      limit: 'verify',
      query: Type.Object({
        pageToken: Type.Optional(Type.String({ maxLength: 64, description: 'Of the page before' })),
        since: Type.Optional(Cursor),
        wait: Type.Integer({ minimum: 0, maximum: LONGEST_WAIT_SECONDS, default: 0 }),
      }),
      check: ({ query: { pageToken, since } }) => {
        if (pageToken === undefined) return null;
        if (since !== undefined) return badRequest('pageToken is for a snapshot, and since is not');
        return isPageToken(pageToken) ? null : badRequest('pageToken is not valid');
      },
      responses: { 200: PageView },
      async handle({ caller, query: { pageToken, since, wait } }) {
        if (since === undefined) return ok(await takeSnapshot(deps, caller, pageToken), snapshotView);
        const { id: developerId, keyHash } = caller;
        const page = await (wait > 0 ? openAfter : readAfter)(deps, caller, since);
        return mapOutcome(page, ({ entries, upTo }): Reply => {
          const reply = pageReply(entries, upTo);
          if (entries.length > 0 || wait === 0) return reply;
          return {
            ...reply,
            waits: true,
            async takeOver(req, res) {
              const waitMs = wait * 1000;
              const feed = 'revocations';
              const waited = { feed, developerId, keyHash, follower, held, after: upTo, waitMs } as const;
              const came = await waitForEntries(res, waited);
              assertReadable(deps);
              // Where the feed had moved on already, the next request reads what came in between.
              send(req, res, came ? pageReply(came.entries, came.upTo) : reply);
            },
          };
        });
      },
    }),
    endpoint({
      method: 'get',
      path: '/v1/revocations/stream',
      summary: 'What comes after a cursor, as it comes: `ready`, `revocation` and `heartbeat` events',
      access: 'developer',
      limit: 'verify',
      eventStream: true,
      query: Type.Object({
        since: Type.Optional(Type.Integer({ ...CURSOR, description: 'Absent: what comes from now on' })),
      }),
      responses: { 200: Type.String() },
      async handle({ caller, query, header }) {
        const { id: developerId, keyHash } = caller;
        const lastId = Number(/^\d{1,15}$/.exec(header('last-event-id') ?? '')?.[0] ?? 0);
        const after = Math.max(query.since ?? (await currentCursor(deps, caller)), lastId);
        const page = await openAfter(deps, caller, after);
        return mapOutcome(
          page,
          (first): Reply => ({
            status: 200,
            headers: { 'content-type': 'text/event-stream; charset=utf-8' },
            takeOver: (_req, res) =>
              serveStream<Entry>(res, {
                feed: 'revocations',
                developerId,
                keyHash,
                headers: headersOf(res),
                follower,
                held,
                after,
                first,
                async readAfter(from) {
                  const next = await readAfter(deps, caller, from, background);
                  if (isRefused(next)) throw next.refusal;
                  return next.value;
                },
                encode,
                signs: NAMED_EVENTS,
                onSlowReader: () => deps.telemetry.events.connectionClosed({ reason: 'slow_reader' }),
              }),
          }),
        );
      },
    }),
  ];
};
