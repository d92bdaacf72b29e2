/** What can happen to a grant or a token that a verifier must know. */
export type EntryAction = 'revoked' | 'suspended' | 'resumed' | 'token_revoked';

/** One entry of the revocation feed. */
export interface Entry {
  /** Grows; numbers may be left out. */
  readonly seq: number;
  readonly action: EntryAction;
  readonly grantId: string;
  /** Of a token that was revoked by itself. */
  readonly jti: string | null;
  /** From then on nobody needs the entry: what it speaks of has expired. */
  readonly expiresAt: Date;
  readonly at: Date;
}

/** The entry as answers and streams show it. */
export const entryView = ({ seq, action, grantId, jti, expiresAt, at }: Entry) => ({
  seq,
  action,
  grantId,
  ...(jti !== null && { jti }),
  expiresAt,
  at,
});
