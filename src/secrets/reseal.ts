import type { Sealer } from './sealing.ts';

/** A stored secret, and how the place where it is replaces it. */
export interface SealedText {
  /** Names it to a person. */
  readonly name: string;
  readonly purpose: string;
  readonly sealed: Buffer;
  /** Stores the text, unless another one has come in its place. */
  replace(sealed: Buffer): Promise<void>;
}

/** What became of the stored secrets. */
export interface Resealed {
  resealed: number;
  /** Sealed with the new key already. */
  current: number;
  /** The names of those that neither key opens. */
  readonly lost: string[];
}

/**
 * Seals secrets anew. Each is one small change, so a run that ends early loses nothing: the next one passes over what is done.
 * @param batches the secrets, some at a time
 * @param to the new key, alone
 * @param from the key before it, alone
 */
export async function reseal(
  batches: AsyncIterable<readonly SealedText[]>,
  { to, from }: { readonly to: Sealer; readonly from: Sealer },
): Promise<Resealed> {
  const result: Resealed = { resealed: 0, current: 0, lost: [] };
  for await (const batch of batches)
    for (const { name, purpose, sealed, replace } of batch) {
      if (opened(to, sealed, purpose) !== null) {
        result.current++;
        continue;
      }
      const text = opened(from, sealed, purpose);
      if (text === null) result.lost.push(name);
      else {
        await replace(to.seal(text, purpose));
        result.resealed++;
      }
    }
  return result;
}

/** null: this key does not open it. */
function opened(sealer: Sealer, sealed: Buffer, purpose: string): string | null {
  try {
    return sealer.open(sealed, purpose);
  } catch {
    return null;
  }
}
