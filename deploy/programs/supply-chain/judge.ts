/** What is read of a package in package-lock.json. */
interface LockedPackage {
  readonly resolved?: string;
  readonly integrity?: string;
}
/** What is read of a component of a CycloneDX document. */
interface Component {
  readonly name: string;
  readonly version: string;
  readonly licenses?: readonly {
    readonly license?: { readonly id?: string };
    readonly expression?: string;
  }[];
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

const REGISTRY = 'https://registry.npmjs.org/';
/** Licences that ask for nothing but to be named, or not even that. */
const PERMISSIVE = [
  ...[
    '0BSD',
    'Apache-2.0',
    'BlueOak-1.0.0',
    'BSD-2-Clause',
    'BSD-3-Clause',
    'CC0-1.0',
    'ISC',
    'MIT',
    'Unlicense',
    'Zlib',
  ],
];
/** Of what only development uses: nothing of it is passed on. */
const OF_TOOLS = [...PERMISSIVE, 'MPL-2.0'];

/** Packages of a lockfile whose bytes are not pinned, or come from elsewhere than the registry. One line for each. */
export function faultsOfLock(packages: Readonly<Record<string, LockedPackage>>): string[] {
  return Object.entries(packages).flatMap(([path, { resolved, integrity }]) => {
    if (path === '') return [];
    if (!integrity?.startsWith('sha512-'))
      return [`${path} has no integrity: npm install --package-lock-only`];
    // Without an address it comes from the registry, whichever mirror of it npm is told to use.
    return resolved === undefined || resolved.startsWith(REGISTRY) ? [] : [`${path} comes from ${resolved}`];
  });
}

/** Components of an SBOM whose licence is not on the lists above. One line for each. */
export function faultsOfLicences(components: readonly Component[]): string[] {
  return components.flatMap(({ name, version, licenses = [], properties = [] }) => {
    const isTool = properties.some(
      (one) => one.name === 'cdx:npm:package:development' && one.value === 'true',
    );
    const texts = licenses.map(({ license, expression }) => license?.id ?? expression ?? 'no SPDX id');
    const allowed =
      texts.length > 0 && texts.every((text) => isAllowed(text, isTool ? OF_TOOLS : PERMISSIVE));
    return allowed ? [] : [`${name}@${version} has the licence ${texts.join(', ') || 'none'}`];
  });
}

/** Of an SPDX expression with OR one part must be allowed, of one with AND every part. Both in one are not understood. */
function isAllowed(expression: string, list: readonly string[]): boolean {
  const bare = expression.replace(/^\((.*)\)$/, '$1');
  if (bare.includes(' OR ')) return bare.split(' OR ').some((part) => list.includes(part));
  return bare.split(' AND ').every((part) => list.includes(part));
}
