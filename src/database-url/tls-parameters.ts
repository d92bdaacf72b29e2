import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureVersion } from 'node:tls';

export type TlsMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** How connections are encrypted, and what is verified. Files have been read: these are their contents. */
export interface Tls {
  readonly mode: TlsMode;
  /** No SSLRequest: the first byte already belongs to TLS (PostgreSQL 17 and newer). */
  readonly direct: boolean;
  /** PEM; null: the authorities of Node.js and of the system. */
  readonly ca: string | null;
  /** Certificates that are not valid any more; PEM. */
  readonly crl: string | null;
  /** The client's certificate with its chain, and its key; PEM. */
  readonly cert: string | null;
  readonly key: string | null;
  readonly passphrase: string | null;
  readonly minVersion: SecureVersion | null;
  readonly maxVersion: SecureVersion | null;
  /** Whether the client sends the name that it looked the server up by (SNI). */
  readonly sni: boolean;
}

const VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
const MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
const CERTIFICATES = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs;

/**
 * The TLS part of a connection string's parameters.
 * @param fault called with what is wrong, which begins with the parameter's name
 */
export function readTls(parameters: ReadonlyMap<string, string>, fault: (text: string) => void): Tls {
  const text = (name: string) => parameters.get(name) || null;
  const system = text('sslrootcert') === 'system';
  const written = MODES.find((mode) => mode === text('sslmode'));
  // As in libpq: authorities that everybody can get a certificate from prove nothing without the name.
  const mode = written ?? (system ? 'verify-full' : 'prefer');
  if (system && mode !== 'verify-full') fault('sslrootcert=system needs sslmode=verify-full');

  const direct = text('sslnegotiation') === 'direct';
  if (direct && MODES.indexOf(mode) < MODES.indexOf('require'))
    fault('sslnegotiation=direct needs sslmode=require, verify-ca or verify-full');

  const version = (name: string) => VERSIONS.find((known) => known === text(name)) ?? null;
  const [minVersion, maxVersion] = [version('ssl_min_protocol_version'), version('ssl_max_protocol_version')];
  if (maxVersion && VERSIONS.indexOf(maxVersion) < VERSIONS.indexOf(minVersion ?? 'TLSv1.2'))
    fault('ssl_max_protocol_version must not be below ssl_min_protocol_version (TLSv1.2 when it is not set)');

  const file = (name: string, check: (content: string) => unknown) =>
    readFile(name, text(name), check, fault);
  const ca = system ? null : file('sslrootcert', readCertificates);
  const crl = file('sslcrl', (content) => createSecureContext({ crl: content }));
  const sendsCertificate = text('sslcertmode') !== 'disable';
  const cert = file('sslcert', readCertificates);
  const passphrase = parameters.get('sslpassword') ?? null;
  const key = file('sslkey', (content) => readKey(content, passphrase));
  if (!text('sslcert') !== !text('sslkey')) fault('sslcert and sslkey need each other');
  else if (cert && key && !readCertificates(cert)[0]?.checkPrivateKey(readKey(key, passphrase)))
    fault('sslkey must be the key of the first certificate in sslcert');

  return {
    mode: mode === 'require' && ca ? 'verify-ca' : mode,
    direct,
    ca,
    crl,
    cert: sendsCertificate ? cert : null,
    key: sendsCertificate ? key : null,
    passphrase: sendsCertificate ? passphrase : null,
    minVersion,
    maxVersion,
    sni: text('sslsni') !== '0',
  };
}

function readFile(
  name: string,
  path: string | null,
  check: (content: string) => unknown,
  fault: (text: string) => void,
): string | null {
  if (path === null) return null;
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    fault(`${name} must be the path of a file that can be read (${code})`);
    return null;
  }
  try {
    check(content);
    return content;
  } catch {
    fault(`${name} must be the path of a PEM file with ${CONTENTS[name] ?? 'what it is for'}`);
    return null;
  }
}

const CONTENTS: Record<string, string> = {
  sslrootcert: 'certificates of authorities',
  sslcert: "the client's certificate",
  sslcrl: 'a list of revoked certificates',
  sslkey: "the certificate's private key, which sslpassword opens if it is encrypted",
};

/** @throws when there is none, or when one is broken */
function readCertificates(pem: string): X509Certificate[] {
  const found = pem.match(CERTIFICATES) ?? [];
  if (found.length === 0) throw new Error('no certificate in it');
  return found.map((one) => new X509Certificate(one));
}

const readKey = (pem: string, passphrase: string | null) =>
  createPrivateKey({ key: pem, ...(passphrase === null ? {} : { passphrase }) });
