/** The routes that prove the audit chain: its verification, and its checkpoints. */
import { Type } from 'typebox';
import type { Deps } from '../deps.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { faultOfPage, pageOf, pageQuery } from '../http/pagination.ts';
import { ok, streamed } from '../http/reply.ts';
import { blanksUntil } from '../http/stream.ts';
import { faultOfTimes, timesOf } from '../http/time-range.ts';
import type { KeyRing } from '../signing-keys/key-ring.ts';
import { CheckpointPageView, checkpointPageView, VerificationView, verificationView } from './chain-view.ts';
import { listCheckpoints } from './read-checkpoints.ts';
import { verifyChain } from './verify-chain.ts';

export function chainRoutes(
  deps: Pick<Deps, 'db'> & { readonly keys: Pick<KeyRing, 'published'> },
): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/v1/audit/verify',
      summary: 'Recompute the audit chain and compare it with its checkpoints',
      access: 'developer',
      limit: 'api',
      long: true,
      query: Type.Object({ since: Type.Optional(Type.String()), until: Type.Optional(Type.String()) }),
      responses: { 200: VerificationView },
      check: ({ query }) => faultOfTimes(query),
      handle: async ({ caller, query, signal }) => {
        async function* parts() {
          const input = { developerId: caller.id, ...timesOf(query), signal };
          const verified = verifyChain({ db: deps.db, published: deps.keys.published }, input);
          yield JSON.stringify(verificationView(yield* blanksUntil(verified)));
        }
        return streamed(parts());
      },
    }),
    endpoint({
      method: 'get',
      path: '/v1/audit/checkpoints',
      summary: 'Signed heads of the audit chain, newest first',
      access: 'developer',
      limit: 'api',
      query: pageQuery({ since: Type.Optional(Type.String()), until: Type.Optional(Type.String()) }),
      responses: { 200: CheckpointPageView },
      check: ({ query }) => faultOfTimes(query) ?? faultOfPage(query, ['since', 'until']),
      handle: async ({ caller, query }) => {
        const page = pageOf(query);
        return ok(
          await listCheckpoints(deps, caller, { ...timesOf(query), page }),
          checkpointPageView(caller.id, page),
        );
      },
    }),
  ];
}
