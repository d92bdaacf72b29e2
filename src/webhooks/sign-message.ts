import { createHmac } from 'node:crypto';
import { standardKey } from './secret.ts';

const hmac = (key: string | Buffer, text: string, encoding: 'hex' | 'base64'): string =>
  createHmac('sha256', key).update(text, 'utf8').digest(encoding);

/**
 * The headers that prove who sent a message and when, over exactly the bytes of `body`. Each attempt needs new ones.
 * Both X-Grantex signatures are keyed with the text of the secret, the prefix included; `webhook-signature` follows
 * Standard Webhooks and is keyed with the bytes that it stands for. It has one signature for each secret; the X-Grantex
 * headers have room for one, so the newest secret makes it.
 * @param secrets the newest first
 * @param id stable over the attempts, and the same for all receivers of one event
 */
export function signMessage(
  secrets: readonly [string, ...string[]],
  { id, seconds, body }: { id: string; seconds: number; body: string },
): Record<string, string> {
  const timestamp = String(seconds);
  const [secret] = secrets;
  const signed = `${id}.${timestamp}.${body}`;
  return {
    'x-grantex-timestamp': timestamp,
    'x-grantex-signature-v2': `sha256=${hmac(secret, `${timestamp}.${body}`, 'hex')}`,
    'x-grantex-signature': `sha256=${hmac(secret, body, 'hex')}`,
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': secrets.map((one) => `v1,${hmac(standardKey(one), signed, 'base64')}`).join(' '),
  };
}
