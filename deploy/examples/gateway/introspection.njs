// Reads the answer of /oauth/introspect (RFC 7662) for nginx, which itself sees only its status. For the njs of Debian 12.
import crypto from 'crypto';

/** The digest of the token, under which its answer is kept. */
function digest(r) {
  return crypto.createHash('sha256').update(r.variables.token).digest('hex');
}

const refuse = (r, status, error) => {
  r.headersOut['WWW-Authenticate'] = error ? `Bearer error="${error}"` : 'Bearer';
  r.return(status);
};

/** 204 for a live grant token with the scope and audience that the location requires; otherwise 401, 403 or 500. */
async function grant(r) {
  if (!r.variables.token) return refuse(r, 401, r.headersIn.Authorization && 'invalid_token');
  const answer = await r.subrequest('/_introspect');
  if (answer.status !== 200) return r.return(500);
  const found = JSON.parse(answer.responseText);
  // A refresh token is active too, and is no credential for an API. A kept answer does not outlive the token.
  const live = found.active === true && found.token_type === 'Bearer' && found.exp > Date.now() / 1000;
  const audience = [].concat(found.aud === undefined ? [] : found.aud);
  if (!live || !audience.includes(r.variables.required_audience)) return refuse(r, 401, 'invalid_token');
  if (!(found.scope || '').split(' ').includes(r.variables.required_scope))
    return refuse(r, 403, 'insufficient_scope');
  // Developers choose the names of their principals: escaped, they are one header and nothing else.
  r.headersOut['X-Grant-Principal'] = encodeURIComponent(found.sub);
  r.headersOut['X-Grant-Agent'] = found.client_id;
  r.headersOut['X-Grant-Id'] = found['urn:grantex:grant'].grant_id;
  r.return(204);
}

export default { digest, grant };
