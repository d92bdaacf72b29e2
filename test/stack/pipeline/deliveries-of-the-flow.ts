import { prefixed } from './tree.ts';

const delivery = (cause: string, event_type: string, agent_id: string) => ({
  causes: [cause],
  attributes: {
    'span.kind': 'client',
    'http.response.status_code': 204,
    'server.address': '127.0.0.1',
    ...prefixed({ event_type, agent_id, developer_id: 'developer', webhook_id: 'webhook' }),
  },
});

/** The operation that causes each webhook delivery, and the attributes of the delivery's span. */
export const deliveriesOfTheFlow = () => [
  delivery('grantex.token.exchange', 'grant.created', 'agent'),
  delivery('grantex.token.exchange', 'token.issued', 'agent'),
  delivery('grantex.token.refresh', 'token.issued', 'agent'),
  delivery('grantex.grant.delegate', 'grant.created', 'sub-agent'),
  delivery('grantex.grant.delegate', 'token.issued', 'sub-agent'),
  delivery('grantex.grant.revoke', 'grant.revoked', 'agent'),
  delivery('grantex.grant.revoke', 'grant.revoked', 'sub-agent'),
];
