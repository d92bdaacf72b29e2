import net from 'node:net';
import tls from 'node:tls';
import type { Tls } from '../database-url/target.ts';

/** Reading hundreds of authorities takes milliseconds, so it happens once per target and not per connection. */
const contexts = new WeakMap<Tls, tls.SecureContext>();

/**
 * Begins TLS on a connected socket. The event `secureConnect` or `error` reports the outcome.
 * @param name what the certificate must be for, with `verify-full`
 */
export function handshake(socket: net.Socket, name: string, options: Tls): tls.TLSSocket {
  const context = contexts.get(options) ?? createContext(options);
  contexts.set(options, context);
  return tls.connect({
    socket,
    secureContext: context,
    // As in libpq, named authorities are used in every mode.
    rejectUnauthorized: options.mode.startsWith('verify') || options.ca !== null,
    checkServerIdentity: (_, certificate) =>
      options.mode === 'verify-full' ? tls.checkServerIdentity(name, certificate) : undefined,
    ...(options.sni && net.isIP(name) === 0 ? { servername: name } : {}),
    ...(options.direct ? { ALPNProtocols: ['postgresql'] } : {}),
  });
}

function createContext({ ca, crl, cert, key, passphrase, minVersion, maxVersion }: Tls): tls.SecureContext {
  return tls.createSecureContext({
    ca: ca ?? [...new Set([...tls.getCACertificates('default'), ...tls.getCACertificates('system')])],
    ...(crl && { crl }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(passphrase !== null && { passphrase }),
    minVersion: minVersion ?? 'TLSv1.2',
    ...(maxVersion && { maxVersion }),
  });
}
