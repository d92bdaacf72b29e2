import ipaddr from 'ipaddr.js';
import type { Principal } from '../caller.ts';
import { sha256 } from '../hash.ts';

/**
 * Who an address stands for in a rate limit: an IPv4 address, or the /64 of an IPv6 address, all of which belongs to one
 * customer of a network and is free for it to choose from.
 */
export function rateLimitKeyOf(ip: string): string {
  if (!ipaddr.isValid(ip)) return ip;
  const address = ipaddr.process(ip);
  return address instanceof ipaddr.IPv6
    ? `${address.parts
        .slice(0, 4)
        .map((part) => part.toString(16))
        .join(':')}::/64`
    : address.toString();
}

/** What the sessions of one principal count for together. Of one length, however long the principal's name is. */
export const rateLimitKeyOfPrincipal = ({ developerId, principalId }: Principal): string =>
  sha256(`${developerId}\0${principalId}`).toString('base64url');
