import { type LookupAddress, lookup, promises } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isPublicAddress } from './address.ts';

/** The name leads, or also leads, to an address that webhooks may not go to. */
export class BlockedAddressError extends Error {
  override readonly name = 'BlockedAddressError';
  constructor() {
    super('the address is not public');
  }
}

/** Addresses of names; rejects with a `code` when there are none. */
export interface NameServer {
  resolve4(name: string): Promise<string[]>;
  resolve6(name: string): Promise<string[]>;
}

/** What asking again elsewhere cannot help: a server that does not answer does not answer the system either. */
const SILENT = new Set(['ETIMEOUT', 'ECANCELLED']);

/**
 * Looks names up for a socket and passes on only what the socket may connect to: it uses these very addresses, so no second
 * answer of the name's server can slip in between. A name with one address that is not public is refused as a whole.
 *
 * The system's own look-up waits in one of few threads, where names whose servers are dead would hold up all others;
 * so servers are asked directly, and the system only for what they do not know: /etc/hosts, search domains.
 */
export function createLookup(
  allowPrivate: boolean,
  resolver: NameServer = new promises.Resolver({
    timeout: 2000,
    tries: 2,
  }),
): LookupFunction {
  return (hostname, options, callback) => {
    addressesOf(hostname, resolver).then(
      (addresses) => {
        const [first] = addresses;
        if (!first) return callback(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), '');
        if (!allowPrivate && addresses.some(({ address }) => !isPublicAddress(address)))
          return callback(new BlockedAddressError(), '');
        if (options.all) return callback(null, addresses);
        callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    );
  };
}

async function addressesOf(hostname: string, resolver: NameServer): Promise<LookupAddress[]> {
  const [four, six] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
  const found = [
    ...(four.status === 'fulfilled' ? four.value.map((address) => ({ address, family: 4 })) : []),
    ...(six.status === 'fulfilled' ? six.value.map((address) => ({ address, family: 6 })) : []),
  ];
  if (found.length > 0) return found;
  for (const answer of [four, six])
    if (answer.status === 'rejected' && SILENT.has(answer.reason?.code)) throw answer.reason;
  return new Promise((resolve, reject) => {
    lookup(hostname, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });
}
