/** RFC 7515 §7.1. A decoder would also accept blanks and padding. */
const COMPACT_JWS = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/**
 * Whether the text is a JWS in compact form (RFC 7515 §7.1), spelled in the one way that its encoder writes. The last
 * base64url character of a part may carry bits that decoders ignore (RFC 4648 §3.5). Such a text is another spelling
 * of the same token, and is refused.
 */
export const isCompactJws = (text: string): boolean =>
  COMPACT_JWS.test(text) &&
  text.split('.').every((part) => Buffer.from(part, 'base64url').toString('base64url') === part);
