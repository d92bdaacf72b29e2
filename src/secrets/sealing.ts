/**
 * Secrets at rest: the values that the database stores encrypted with SECRET_KEY.
 * This room has no table. `signing-keys` seals private keys with it, and `webhooks` seals the secrets of webhooks.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Encrypts small secrets at rest with AES-256-GCM. The layout is nonce, tag, ciphertext. */
export interface Sealer {
  /** `purpose` is authenticated with the text, so the sealed text of one row cannot be used in another. */
  seal(plaintext: string, purpose: string): Buffer;
  /** @throws when the text was altered, or was sealed with another key or for another purpose */
  open(sealed: Buffer, purpose: string): string;
}

/**
 * Seals with `key`, and opens what was sealed with it or with `other`.
 * @param key 32 bytes, `SECRET_KEY`
 * @param other `SECRET_KEY_OLD`; null: there is none
 */
export function createSealer(key: Buffer, other: Buffer | null = null): Sealer {
  const sealer = sealerOf(key);
  if (!other) return sealer;
  const otherSealer = sealerOf(other);
  return {
    seal: sealer.seal,
    open(sealed, purpose) {
      try {
        return sealer.open(sealed, purpose);
      } catch {
        // The tag tells which key it was. What neither opens fails with the error of the second.
        return otherSealer.open(sealed, purpose);
      }
    },
  };
}

function sealerOf(key: Buffer): Sealer {
  return {
    seal(plaintext, purpose) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(Buffer.from(purpose));
      const ciphertext = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]);
    },
    open(sealed, purpose) {
      const nonce = sealed.subarray(0, NONCE_BYTES);
      const tag = sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
      const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
        .setAAD(Buffer.from(purpose))
        .setAuthTag(tag);
      const ciphertext = sealed.subarray(NONCE_BYTES + TAG_BYTES);
      return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString('utf8');
    },
  };
}
