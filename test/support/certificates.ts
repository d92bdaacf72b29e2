import { generate } from 'selfsigned';

/** PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const HOUR_MS = 3_600_000;
/** The names of a server on this machine. */
const THIS_MACHINE = [
  { type: 2, value: 'localhost' },
  { type: 7, ip: '127.0.0.1' },
  { type: 7, ip: '::1' },
] as const;

/** A certificate authority for one test. No other program trusts it. */
export class Authority implements Certificate {
  readonly cert: string;
  readonly key: string;

  private constructor({ cert, key }: Certificate) {
    this.cert = cert;
    this.key = key;
  }

  static async create(name = 'Private CA of a test'): Promise<Authority> {
    const made = await make(name, [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ]);
    return new Authority(made);
  }

  /** A certificate for a server at localhost, 127.0.0.1 and ::1, or only at this name. */
  server(name?: string): Promise<Certificate> {
    const altNames = name === undefined ? [...THIS_MACHINE] : [{ type: 2 as const, value: name }];
    const extensions = [
      { name: 'subjectAltName' as const, altNames },
      { name: 'extKeyUsage' as const, serverAuth: true },
    ];
    return make(name ?? 'localhost', extensions, this);
  }

  /** A client certificate for a role of the database. */
  client(role: string, passphrase?: string): Promise<Certificate> {
    return make(role, [{ name: 'extKeyUsage', clientAuth: true }], this, passphrase);
  }
}

async function make(
  commonName: string,
  extensions: NonNullable<Parameters<typeof generate>[1]>['extensions'],
  ca?: Certificate,
  passphrase?: string,
): Promise<Certificate> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - HOUR_MS),
    notAfterDate: new Date(Date.now() + 24 * HOUR_MS),
    ...(extensions && { extensions }),
    ...(ca && { ca: { cert: ca.cert, key: ca.key } }),
    ...(passphrase !== undefined && { passphrase }),
  });
  return { cert, key };
}
