import type { Party } from '../support/flow.ts';
import type { TestService } from '../support/service.ts';

/** Posts a form to a standard endpoint, as a client that knows OAuth would; by default with the party's key as Bearer. */
export async function post(
  { url }: Pick<TestService, 'url'>,
  path: '/oauth/introspect' | '/oauth/revoke',
  form: Record<string, string> | string,
  authorization?: string,
) {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(authorization !== undefined && { authorization }),
    },
    body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
  });
  const body: unknown = await response.json();
  return { status: response.status, body, headers: response.headers };
}

export const bearer = ({ key }: Pick<Party, 'key'>) => `Bearer ${key}`;
export const basic = ({ key }: Pick<Party, 'key'>, user = 'gateway') =>
  `Basic ${Buffer.from(`${user}:${key}`).toString('base64')}`;
