/** The members of an authorization response that travel in a redirect URI; an absent or null one is left out. */
export interface RedirectResponse {
  readonly code?: string | null;
  readonly error?: string | null;
  readonly state?: string | null;
}

/**
 * Adds an authorization response to a redirect URI (RFC 6749 §4.1.2). The query that is there stays byte for byte
 * (§3.1.2), except for parameters of the same names: none may occur twice (§3.1).
 * @throws {TypeError} when `redirectUri` is no absolute URL.
 */
export declare function withQuery(redirectUri: string | URL, response: RedirectResponse): string;
