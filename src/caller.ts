/** A developer: who owns agents, grants and all else that an API key opens. */
export interface Developer {
  readonly id: string;
  readonly name: string;
  readonly email: string | null;
  readonly mode: 'live' | 'sandbox';
  readonly plan: string;
  readonly createdAt: Date;
}

/** A caller that presents an API key. Whether a developer has it is not known yet. */
export interface KeyHolder {
  /** SHA-256 of the key. */
  readonly keyHash: Buffer;
}

/** One developer's principal: what a session token lets its holder see and take back. */
export interface Principal {
  readonly developerId: string;
  readonly principalId: string;
}
