import ipaddr from 'ipaddr.js';

/** Whether a host, a name or an address, is the machine itself by what it shows. No name is looked up. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  return bare === 'localhost' || (ipaddr.isValid(bare) && ipaddr.process(bare).range() === 'loopback');
}
