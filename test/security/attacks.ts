/** An attack, the file of its test, and a part of that test's name. */
export type Attack = readonly [attack: string, file: string, name: string];

/** Every attack that has a test, by what the attacker wants. */
export const ATTACKS: Readonly<Record<string, readonly Attack[]>> = {
  forge: [
    [
      'no signature, another key, HMAC with a known text, an unknown key id',
      'test/tokens/verify.test.ts',
      'invalid, with its reason in the log',
    ],
    [
      'keys and key addresses in the header of the token, the public key as a secret',
      'test/security/forged-tokens.test.ts',
      'a token that brings its own key',
    ],
    [
      'claims of one token with the signature of another; another algorithm of the same key',
      'test/security/forged-tokens.test.ts',
      'parts of real tokens',
    ],
    ['another spelling of the same signature', 'test/tokens/life.test.ts', 'one spelling only'],
    ['text behind a token', 'test/grant-token/token-size.test.ts', 'behind it is not the token'],
    [
      'a token that says more than its grant',
      'test/tokens/life.test.ts',
      'online verification answers from what is stored',
    ],
    [
      'a session token as a grant token, and the reverse',
      'test/principal-sessions/routes.test.ts',
      'nor is it a grant token',
    ],
    ['a request id that is guessed', 'test/consent/routes.test.ts', '404 for an unknown or malformed id'],
  ],
  replay: [
    ['a thousand callers with one code', 'test/races/single-use.test.ts', '1,000 callers with one code'],
    [
      'a thousand callers with one refresh token',
      'test/races/single-use.test.ts',
      '1,000 callers with one refresh token',
    ],
    ['a used code', 'test/tokens/single-use.test.ts', 'a replayed code revokes the grant'],
    ['a used refresh token', 'test/tokens/refresh.test.ts', 'reuse of any used one'],
    ['two chains of one refresh token', 'test/tokens/refresh-retries.test.ts', 'never leave two chains'],
    [
      'a decision made twice',
      'test/consent/routes.test.ts',
      'of decisions at the same moment exactly one wins',
    ],
    ['a rotated API key', 'test/developers/keys.test.ts', 'the old key is refused at once'],
  ],
  'escape the tenant': [
    [
      'every route with every foreign id',
      'test/tenancy/tenancy.test.ts',
      'the table has every route of /openapi.json',
    ],
    ['lists', 'test/tenancy/tenancy.test.ts', 'lists hold nothing of anybody else'],
    [
      'generated requests of two developers at once',
      'test/security/two-tenants.test.ts',
      'no answer has a byte of the other developer',
    ],
    [
      "another developer's tokens at the standard endpoints",
      'test/oauth/introspect.test.ts',
      "another developer's",
    ],
    [
      "a principal's session with another developer",
      'test/principal-sessions/routes.test.ts',
      'the session of one developer knows nothing',
    ],
    [
      'one more scope against a prohibition',
      'test/policies/decision.test.ts',
      'any policies and any request',
    ],
  ],
  exhaust: [
    ['connections of one address, and in all', 'test/http/connections.test.ts', 'in all only so many'],
    [
      'clients that read nothing',
      'test/http/connections.test.ts',
      'a client that reads nothing of its answer',
    ],
    [
      'connections to the port of the metrics',
      'test/instrumentation/metrics-server.test.ts',
      'beyond the most connections',
    ],
    ['requests that never end', 'test/contract/hostile-wire.test.ts', 'two hundred requests that never end'],
    ['invented keys', 'test/http/rate-limit.test.ts', 'invented keys count for their address'],
    [
      'many keys of one developer',
      'test/http/rate-limit.test.ts',
      'all keys that a developer ever had count as one',
    ],
    [
      'names of metrics without end',
      'test/faults/cardinality.test.ts',
      'agents and developers without number',
    ],
    ['webhooks that hang', 'test/webhooks/fair-share.test.ts', 'takes none from others'],
    ['long bodies, lists and names', 'test/http/size-bounds.test.ts', 'have at most 8 KiB together'],
  ],
  hide: [
    ['a flood of wrong keys', 'test/security/authentication-failures.test.ts', 'a flood of wrong keys'],
    [
      'every way to be refused leaves a line',
      'test/security/authentication-failures.test.ts',
      'every way to be refused',
    ],
    ['changes without a trace', 'test/security/log-lines.test.ts', 'agents: made, changed'],
    ['line breaks in what is logged', 'test/security/forged-tokens.test.ts', 'one line is one line'],
    ['audit entries of concurrent writers', 'test/audit/chain.test.ts', '64 writers on two replicas'],
    ['sampling that the caller asks for', 'test/instrumentation/http.test.ts', 'cannot force sampling'],
  ],
  smuggle: [
    [
      'two lengths, chunks and rubbish on the wire',
      'test/contract/wire-cases.ts',
      'both lengths, the other way round',
    ],
    ['rubbish behind requests', 'test/http/refused-on-the-wire.test.ts', 'rubbish behind requests'],
    ['a second Authorization header', 'test/http/oauth.test.ts', 'two Authorization headers are refused'],
    ['another spelling of a path', 'test/contract/wire-cases.ts', '/V1/'],
    [
      'markup and directions of text on the consent page',
      'test/consent/page.test.ts',
      'hostile text anywhere stays text',
    ],
    ['redirect URIs that run', 'test/authorization/redirect-uri.test.ts', 'never gives a URL that runs'],
    [
      'headers by the name of a principal, behind a gateway',
      'test/stack/gateway.test.ts',
      'a live token passes',
    ],
  ],
  steal: [
    [
      'secrets in logs, spans, metrics, webhooks and the database',
      'test/security/canary.test.ts',
      'no secret is in a log line',
    ],
    ['the same behind the real collector', 'test/stack/canary.test.ts', 'what the real collector passes on'],
    [
      'a request into the private network by a webhook',
      'test/webhooks/send-message.test.ts',
      'rebinding finds no gap',
    ],
    ['a redirect of a webhook', 'test/webhooks/attempts.test.ts', 'a redirect is not followed'],
    ['a code without its verifier', 'test/security/strict.test.ts', 'REQUIRE_PKCE'],
    [
      'the session token from the address bar',
      'test/stack/permissions-session.browser.test.ts',
      'leaves the address bar at once',
    ],
    ['sealed keys moved to another row', 'test/secrets/sealing.test.ts', 'another purpose'],
    ['revoked tokens through a gateway', 'test/stack/gateway.test.ts', 'what must not pass'],
  ],
};
