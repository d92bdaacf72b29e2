/** A connection string that cannot be used. `faults` name every faulty parameter, and repeat no value: it may be secret. */
export class TargetError extends Error {
  override readonly name = 'TargetError';
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(faults.join('; '));
    this.faults = faults;
  }
}

const fail = (fault: string): never => {
  throw new TargetError([fault]);
};

/**
 * Splits a connection string into libpq's parameters, by libpq's own rules: a URL (postgres:// or postgresql://) or
 * `keyword=value` pairs. Several hosts stay one comma-separated value. Of a parameter given twice the last value counts.
 * @throws {TargetError} with one fault when the text is neither
 */
export function readConnectionString(text: string): Map<string, string> {
  const rest = /^postgres(?:ql)?:\/\/(.*)$/s.exec(text)?.[1];
  if (rest !== undefined) return readUrl(rest);
  if (/^\s*[\w+.-]*:/.test(text) || !text.includes('='))
    return fail("must be a URL beginning postgres:// or postgresql://, or libpq's keyword=value pairs");
  return readPairs(text);
}

function readUrl(text: string): Map<string, string> {
  if (/\s/.test(text)) fail('must be a URL without blanks (a blank is written %20)');
  const found = new Map<string, string>();
  const set = (name: string, value: string | undefined) => {
    if (value) found.set(name, decode(name, value));
  };

  // As in libpq, a password may hold anything but "@" and "/".
  const end = text.search(/[@/]/);
  const credentials = text[end] === '@' ? text.slice(0, end) : '';
  const rest = text[end] === '@' ? text.slice(end + 1) : text;
  const [, user, password] = /^([^:]*)(?::(.*))?$/.exec(credentials) ?? [];
  set('user', user);
  set('password', password);

  const [, authority = '', database, query] = /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/.exec(rest) ?? [];
  if (authority.includes('@'))
    fail('must be a URL with one "@" before the host (in a password it is written %40)');
  const servers = authority.split(',').map(readServer);
  // The lists are joined before they are decoded, as libpq does it.
  set('host', servers.map(({ host }) => host).join(','));
  set('port', servers.map(({ port }) => port).join(','));
  set('dbname', database);

  for (const pair of query ? query.split('&') : []) {
    const [, name, value] = /^([^=]*)=(.*)$/.exec(pair) ?? [];
    if (!name || value === undefined) return fail('must be a URL with name=value pairs behind the "?"');
    const decoded = [decode('a parameter', name), decode('a parameter', value)] as const;
    // What JDBC writes, and libpq takes.
    const [key, text] = decoded.join('=') === 'ssl=true' ? ['sslmode', 'require'] : decoded;
    found.set(key, text);
  }
  return found;
}

/** `host:port`, `[address]:port`; each part may be missing. */
function readServer(text: string): { host: string; port: string } {
  const [, address, host = '', port = ''] =
    /^(?:\[([^\]]+)\]|([^:[\]]*))(?::(.*))?$/.exec(text) ?? fail(IPV6);
  if (/[^\d%]/.test(port))
    fail('must be a URL with a number as port (":" and "/" in a password are written %3A and %2F)');
  return { host: address ?? host, port };
}

const IPV6 = 'must be a URL with IPv6 addresses in brackets, like [::1]:5432';

const PERCENT = 'must be percent-encoded UTF-8 without %00 (a percent sign itself is written %25)';

function decode(name: string, text: string): string {
  const decoded = tryDecode(text);
  return decoded === null || decoded.includes('\0') ? fail(`${name} ${PERCENT}`) : decoded;
}

function tryDecode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

const PAIRS =
  "must be keyword=value pairs, a value with blanks in '…' (\\' and \\\\ stand for the characters)";

function readPairs(text: string): Map<string, string> {
  const found = new Map<string, string>();
  // As libpq reads it: blanks may stand around "=", and a backslash takes the next character as it is.
  const pair = /\s*([^\s=]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s\\']|\\.)(?:[^\s\\]|\\.)*|))(?=\s|$)\s*/sy;
  while (pair.lastIndex < text.length) {
    const [, name, quoted, plain = ''] = pair.exec(text) ?? fail(PAIRS);
    if (name) found.set(name, (quoted ?? plain).replace(/\\(.)/gs, '$1'));
  }
  return found;
}
