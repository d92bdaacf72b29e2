/** What the value of a parameter must match, and the message for the operator when it does not. */
type Rule = readonly [accepted: RegExp, otherwise: string];

const any: Rule = [/^/, ''];
const oneOf = (...values: string[]): Rule => [
  new RegExp(`^(${values.join('|')})$`),
  `must be ${new Intl.ListFormat('en', { type: 'disjunction' }).format(values)}`,
];
const only = (accepted: RegExp, reason: string): Rule => [accepted, reason];
const never = (reason: string): Rule => [/^(?!)/, `cannot be honoured: ${reason}`];
const number: Rule = [/^\s*[+-]?\d{1,9}\s*$/, 'must be a whole number'];
const version: Rule = [/^(TLSv1(\.[123])?)?$/, 'must be TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3'];

const KERBEROS = never('the service does not authenticate by GSSAPI (Kerberos)');
const OAUTH = never('the service does not authenticate by OAuth');

/** Every parameter that libpq 17 documents, those that 18 adds, and `prepare`, which is the service's own. */
const RULES: Readonly<Record<string, Rule>> = {
  host: any,
  hostaddr: any,
  port: any,
  dbname: any,
  user: any,
  password: any,
  application_name: any,
  fallback_application_name: any,
  options: any,
  connect_timeout: number,
  load_balance_hosts: oneOf('disable', 'random'),
  prepare: oneOf('true', 'false'),
  target_session_attrs: only(
    /^(any|read-write|primary)$/,
    'must be any, read-write or primary: the service needs a server that it can write to',
  ),

  sslmode: oneOf('disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'),
  sslnegotiation: oneOf('postgres', 'direct'),
  sslrootcert: any,
  sslcert: any,
  sslkey: any,
  sslpassword: any,
  sslcrl: any,
  sslcrldir: never(
    'directories of revoked certificates are not read; put them into one file and name it with sslcrl',
  ),
  sslsni: oneOf('0', '1'),
  sslcertmode: only(
    /^(disable|allow)$/,
    'must be disable or allow: whether the server asked for the certificate cannot be seen',
  ),
  ssl_min_protocol_version: version,
  ssl_max_protocol_version: version,
  // Neither side compresses any more.
  sslcompression: oneOf('0', '1'),
  sslkeylogfile: never('the keys of connections are not written to files'),

  channel_binding: only(
    /^(disable|prefer)$/,
    'must be disable or prefer: the driver authenticates without it; sslmode=verify-full proves who the server is',
  ),
  require_auth: never(
    'the driver answers whatever way of authentication the server asks for; sslmode=verify-full proves who the server is',
  ),
  requirepeer: never('the owner of a socket cannot be seen'),
  passfile: never('files of passwords are not read; write the password into DATABASE_URL'),
  service: never('files of services are not read; write their parameters into DATABASE_URL'),
  servicefile: never('files of services are not read; write their parameters into DATABASE_URL'),
  gssencmode: only(
    /^(disable|prefer)$/,
    'must be disable or prefer: the service does not encrypt by GSSAPI; sslmode=verify-full encrypts by TLS',
  ),
  krbsrvname: KERBEROS,
  gsslib: KERBEROS,
  gssdelegation: only(/^0$/, 'must be 0: the service does not authenticate by GSSAPI (Kerberos)'),
  scram_client_key: never('write the password into DATABASE_URL'),
  scram_server_key: never('write the password into DATABASE_URL'),
  oauth_issuer: OAUTH,
  oauth_client_id: OAUTH,
  oauth_client_secret: OAUTH,
  oauth_scope: OAUTH,

  client_encoding: only(/^(auto|utf-?8|unicode)$/i, 'must be UTF8 or auto: the service speaks UTF-8 alone'),
  replication: only(/^(0|off|false|no)$/i, 'must be false: the service is no replica'),
  min_protocol_version: only(/^3\.0$/, 'must be 3.0: the driver speaks no newer one'),
  max_protocol_version: oneOf('3.0', '3.2', 'latest'),

  // libpq documents that these have no effect on some systems. Connections are kept alive, and each statement has a
  // deadline of the service's own, which is shorter.
  keepalives: number,
  keepalives_idle: number,
  keepalives_interval: number,
  keepalives_count: number,
  tcp_user_timeout: number,
};

/**
 * The faults of single parameters. A fault never repeats a value. It repeats a name only if it looks like one, because the
 * text could be part of a password that was not percent-encoded.
 */
export function faultsOf(parameters: ReadonlyMap<string, string>): string[] {
  return Array.from(parameters).flatMap(([name, value]) => {
    const [accepted, otherwise] = Object.hasOwn(RULES, name) ? (RULES[name] ?? any) : unknown(name);
    return accepted.test(value)
      ? []
      : [`${/^[a-z_][\w.]{0,62}$/i.test(name) ? name : 'a parameter'} ${otherwise}`];
  });
}

const unknown = (name: string): Rule => [
  /^(?!)/,
  /^[a-z_][\w.]{0,62}$/i.test(name)
    ? `is no parameter of libpq; if it is a setting of the server, write options=-c ${name}=value (in a URL: options=-c%20${name}%3Dvalue)`
    : 'has a name that is none of libpq',
];
