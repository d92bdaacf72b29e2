import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** 64:ff9b::/96 (RFC 6052): stands for the IPv4 address in its last 32 bits, and is as public as that one. */
const NAT64: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('64:ff9b::'), 96];
/** 2000::/3, the only part of IPv6 that is given out for the public Internet (RFC 4291 §2.4). */
const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];
/** A public address where a cloud puts what is not for the public: Azure's host services. */
const METADATA = new Set(['168.63.129.16']);

/**
 * Whether an address belongs to the public Internet: not to this machine or a private network, to a link, to a carrier's
 * NAT or a cloud's metadata, not multicast, and not reserved for tunnels, tests or documents. Of IPv6 addresses that stand
 * for an IPv4 one, mapped and NAT64 ones count as that one, and the others (6to4, Teredo, …) are never public.
 */
export function isPublicAddress(text: string): boolean {
  if (isIP(text) === 0) return false;
  const address = ipaddr.process(text);
  if (address instanceof ipaddr.IPv4)
    return address.range() === 'unicast' && !METADATA.has(address.toString());
  if (address.match(NAT64))
    return isPublicAddress(new ipaddr.IPv4(address.toByteArray().slice(12)).toString());
  return address.range() === 'unicast' && address.match(GLOBAL_UNICAST);
}
