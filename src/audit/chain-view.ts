import { Type } from 'typebox';
import { type Page, pageInfo, pageView } from '../http/pagination.ts';
import { orNull, Timestamp } from '../http/schemas.ts';
import type { Checkpoints } from './read-checkpoints.ts';
import type { Verification } from './verify-chain.ts';

const Seq = Type.Integer({ description: 'Grows along the chain, with gaps' });

/** The result of a verification in the form of the answers. */
export const VerificationView = Type.Object({
  valid: Type.Boolean(),
  checkedEntries: Type.Integer(),
  firstBrokenAt: orNull(
    Type.String({
      description: 'The first entry that does not fit; null where the chain is whole, or no entry is left',
    }),
  ),
  reason: orNull(
    Type.Enum(['link', 'content'], {
      description: 'link: an entry is missing or was put in; content: an entry was changed',
    }),
  ),
  head: orNull(
    Type.Object(
      { entryId: Type.String(), hash: Type.String(), seq: Seq },
      { description: 'The last entry that was checked; null where there was none' },
    ),
  ),
});

export const verificationView = ({ valid, checkedEntries, firstBrokenAt, reason, head }: Verification) => ({
  valid,
  checkedEntries,
  firstBrokenAt,
  reason,
  head,
});

/** One page of checkpoints in the form of the answers. */
export const CheckpointPageView = pageView({
  checkpoints: Type.Array(
    Type.Object({
      developerId: Type.String(),
      seq: Seq,
      entryId: Type.String(),
      hash: Type.String(),
      rowHash: orNull(
        Type.String({
          description: 'Covers all that is stored of the entry; null for one of an older release',
        }),
      ),
      timestamp: Timestamp,
      createdAt: Timestamp,
      kid: Type.String(),
      jws: Type.String({
        description: 'The same, signed: a compact JWS of type audit-checkpoint+jwt by a key of the JWKS',
      }),
    }),
  ),
});

export const checkpointPageView =
  (developerId: string, page: Page) =>
  ({ checkpoints, total }: Checkpoints) => ({
    checkpoints: checkpoints.map(({ entryAt, madeAt, ...rest }) => ({
      developerId,
      ...rest,
      timestamp: entryAt,
      createdAt: madeAt,
    })),
    ...pageInfo(page, total),
  });
