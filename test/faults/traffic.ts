import { Client, type Reply, type Sending } from './client.ts';

export type Kind = 'authorize' | 'exchange' | 'verify' | 'refresh' | 'delegate' | 'revoke';

/** One request of the load with its answer. */
export interface Shot {
  readonly kind: Kind;
  readonly sending: Sending;
  readonly reply: Reply;
  /** The principal. Each grant flow has its own. */
  readonly principalId: string;
  /** The grant, in every step after the exchange. */
  readonly grantId?: string;
}

export interface Traffic {
  /** All requests so far, in the order of the answers. */
  readonly shots: readonly Shot[];
  /** Waits for the requests under way and starts no new ones. */
  stop(): Promise<void>;
}

export interface TrafficOptions {
  readonly url: string;
  /** The API key of a sandbox developer. */
  readonly key: string;
  readonly agentId: string;
  readonly callers?: number;
  /** The prefix of the principals' names. Each traffic on the same database needs its own. */
  readonly name?: string;
}

/** The pause of a caller after a failure. */
const BACK_OFF_MS = 20;

/**
 * Starts callers that repeat the flow of a grant: authorize → exchange → verify, and for some grants refresh, delegate
 * and revoke. A failed step ends the flow. No request is repeated.
 */
export function startTraffic({ url, key, agentId, callers = 8, name = 'caller' }: TrafficOptions): Traffic {
  const shots: Shot[] = [];
  let stopping = false;

  const call = async (caller: string): Promise<void> => {
    const client = new Client(url);
    const shoot = async (kind: Kind, sending: Omit<Sending, 'key'>, about: About): Promise<Reply> => {
      const reply = await client.send({ ...sending, key });
      shots.push({ kind, sending: { ...sending, key }, reply, ...about });
      return reply;
    };
    for (let round = 0; !stopping; round++)
      if (!(await runGrantFlow(shoot, agentId, `${caller}_${round}`, round)))
        await new Promise((resolve) => setTimeout(resolve, BACK_OFF_MS));
    client.close();
  };

  const running = Array.from({ length: callers }, (_, index) => call(`${name}_${index}`));
  return {
    shots,
    async stop() {
      stopping = true;
      await Promise.all(running);
    },
  };
}

type About = Pick<Shot, 'principalId' | 'grantId'>;
type Shoot = (kind: Kind, sending: Omit<Sending, 'key'>, about: About) => Promise<Reply>;

const post = (path: string, body: unknown) => ({ method: 'POST', path, body });
const SCOPES = ['calendar:read'];

/** @returns whether every step succeeded */
async function runGrantFlow(
  shoot: Shoot,
  agentId: string,
  principalId: string,
  round: number,
): Promise<boolean> {
  const request = { agentId, principalId, scopes: SCOPES };
  const asked = await shoot('authorize', post('/v1/authorize', request), { principalId });
  if (asked.status !== 201) return false;
  const exchanged = await shoot('exchange', post('/v1/token', { agentId, code: asked.body.code }), {
    principalId,
  });
  if (exchanged.status !== 201) return false;
  const { grantToken, refreshToken, grantId } = exchanged.body;
  const about = { principalId, grantId };
  const verified = await shoot('verify', post('/v1/tokens/verify', { token: grantToken }), about);
  if (verified.status !== 200) return false;
  if (round % 2 === 0) {
    const refreshed = await shoot('refresh', post('/v1/token/refresh', { agentId, refreshToken }), about);
    if (refreshed.status !== 201) return false;
  }
  if (round % 3 === 0) {
    const asking = { parentGrantToken: grantToken, subAgentId: agentId, scopes: SCOPES };
    const delegated = await shoot('delegate', post('/v1/grants/delegate', asking), about);
    if (delegated.status !== 201) return false;
  }
  if (round % 4 !== 0) return true;
  const sending = { method: 'DELETE', path: `/v1/grants/${grantId}` };
  return (await shoot('revoke', sending, about)).status === 204;
}

export const isGood = ({ reply: { status } }: Shot): boolean => status >= 200 && status < 300;
/** The caller cannot know the outcome. */
export const isUnknown = ({ reply: { status } }: Shot): boolean => status === 500 || status === 0;
