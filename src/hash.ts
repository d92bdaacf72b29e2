import { hash } from 'node:crypto';

/** SHA-256 of a text. What is hashed here has at least 128 random bits, so a fast hash is the right one. */
export const sha256 = (text: string): Buffer => hash('sha256', text, 'buffer');
