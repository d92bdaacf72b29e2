import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { newParty, type Party } from '../../support/flow.ts';
import type { TestService } from '../../support/service.ts';
import { type Receiver, startReceiver } from '../../webhooks/receiver.ts';
import { Client, type Sending } from '../client.ts';

/** What a tenant does to a service, within the default limits of everybody. */
export interface Attack {
  readonly name: string;
  /** Goes on until the promise resolves. @returns how often each status was answered; 0: no answer */
  run(until: Promise<unknown>): Promise<ReadonlyMap<number, number>>;
}

/** Does work on `width` connections at once, each again as soon as it is done, until the end. */
const repeating = (
  name: string,
  service: TestService,
  width: number,
  work: (send: (sending: Sending) => ReturnType<Client['send']>) => Promise<unknown>,
): Attack => ({
  name,
  async run(until) {
    const statuses = new Map<number, number>();
    let attacking = true;
    const stop = () => {
      attacking = false;
    };
    void until.then(stop, stop);
    await Promise.all(
      Array.from({ length: width }, async () => {
        const client = new Client(service.url);
        const send = async (sending: Sending) => {
          const reply = await client.send(sending);
          statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
          return reply;
        };
        while (attacking) await work(send);
        client.close();
      }),
    );
    return statuses;
  },
});

/** The attack that meets the limit of an address. */
export const INVENTED_KEYS = 'invented keys';
const READERS = 1000;

/** Opens connections that ask and never read. */
const notReading = (name: string, { url }: TestService, path: string, key?: string): Attack => ({
  name,
  async run(until) {
    const { hostname, port, host } = new URL(url);
    const authorization = key === undefined ? '' : `Authorization: Bearer ${key}\r\n`;
    const sockets = Array.from({ length: READERS }, () => {
      const socket = connect(Number(port), hostname).pause();
      // The service may end the connection.
      socket.on('error', () => undefined);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${authorization}\r\n`);
      return socket;
    });
    await until;
    for (const socket of sockets) socket.destroy();
    return new Map();
  },
});

/** As large as an agent can be: 10 kB. */
const LARGEST_AGENT = {
  name: 'Large',
  description: 'd'.repeat(2000),
  scopes: Array.from({ length: 32 }, (_, index) => `${String(index).padStart(3, '0')}:${'s'.repeat(250)}`),
};
const LARGEST_AGENTS = 100;

async function makeLargestAgents({ newAgent }: Party): Promise<void> {
  for (let made = 0; made < LARGEST_AGENTS; made += 10)
    await Promise.all(Array.from({ length: 10 }, () => newAgent(LARGEST_AGENT)));
}

/** Just below the limit of a body: deep, and with many members. Whether it is stored or refused, it is read and checked. */
const LARGE_METADATA = {
  deep: JSON.parse(`${'['.repeat(500)}${']'.repeat(500)}`) as unknown,
  wide: Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`member_${index}`, 'a value'])),
};

/** Each attack has a tenant of its own, so that it has all the limits of one. `ends` gets what must be closed at the end. */
export async function prepareAttacks(
  service: TestService,
  ends: AsyncDisposableStack,
): Promise<readonly Attack[]> {
  const party = () => newParty(service, 'sandbox');
  const [lister, reader, hooked] = [await party(), await party(), await party()];
  await makeLargestAgents(lister);
  await makeLargestAgents(reader);
  const auditOf = async (metadata: unknown): Promise<Sending> => {
    const { key, agentId, grant } = await party();
    const { grantId } = await grant();
    return { method: 'POST', path: '/v1/audit/log', key, body: { agentId, grantId, action: 'a', metadata } };
  };
  const small = await auditOf({});
  const large = await auditOf(LARGE_METADATA);
  const hanging: Receiver = await startReceiver(() => undefined);
  ends.defer(() => hanging.close());
  for (let hook = 0; hook < 10; hook++)
    await service.request('POST', '/v1/webhooks', {
      key: hooked.key,
      body: { url: hanging.url, events: ['grant.created', 'token.issued'] },
    });
  return [
    repeating('lists of the largest objects', service, 10, (send) =>
      send({ method: 'GET', path: '/v1/agents?pageSize=100', key: lister.key }),
    ),
    repeating('a burst of audit entries', service, 500, (send) => send(small)),
    repeating(INVENTED_KEYS, service, 64, (send) =>
      send({ method: 'GET', path: '/v1/me', key: `gx_live_${randomBytes(24).toString('hex')}` }),
    ),
    notReading('slow readers of lists', service, '/v1/agents?pageSize=100', reader.key),
    notReading('slow readers of a document', service, '/openapi.json'),
    repeating('large JSON', service, 16, (send) => send(large)),
    repeating('webhooks that hang', service, 4, async (send) => {
      const { key, agentId } = hooked;
      const asked = { agentId, principalId: 'user_1', scopes: ['calendar:read'] };
      const { body } = await send({ method: 'POST', path: '/v1/authorize', key, body: asked });
      await send({ method: 'POST', path: '/v1/token', key, body: { code: body?.code ?? 'none', agentId } });
    }),
  ];
}
