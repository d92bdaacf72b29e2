import fc from 'fast-check';
import { ApiDocument, type Operation } from '../contract/document.ts';
import { type Edit, edits } from '../contract/hostile.ts';
import { outgoing } from '../contract/mutate.ts';
import { createSender, type Outgoing } from '../contract/send.ts';
import { createWorld, type Sample, sampleFor, type World } from '../contract/world.ts';
import type { Answer, TestService } from '../support/service.ts';

/** What one generated request is made of. */
interface Plan {
  readonly tenant: 0 | 1;
  readonly operation: number;
  /** Names objects and tokens of the other tenant, with its own key. */
  readonly steals: boolean;
  readonly edits: readonly Edit[];
}
const PLAN = (operations: number): fc.Arbitrary<Plan> =>
  fc.record({
    tenant: fc.constantFrom(0, 1),
    operation: fc.nat({ max: operations - 1 }),
    steals: fc.boolean(),
    edits: fc.oneof(fc.constant([]), edits),
  });

const ID = /(?:dev|key|ag|areq|grnt|tok|ref|alog|wh|evt|pol|anm)_[0-9A-HJKMNP-TV-Z]{26}/g;
const JWT = /eyJ[\w-]+\.(eyJ[\w-]+)\./g;
/** The principal of the samples, and not one whose random name begins alike. */
const USER = /user_1\b/g;
/** Requests at the same time. */
const WIDTH = 16;
/** How many requests start from one valid one. What its first use has used up is refused from then on. */
const USES = 25;

/** The ids in a text, those in the claims of its tokens too. */
function idsIn(text: string): string[] {
  const claims = Array.from(text.matchAll(JWT), ([, part = '']) => Buffer.from(part, 'base64url').toString());
  return [text, ...claims].flatMap((one) => one.match(ID) ?? []);
}

/** One tenant: what it was told and what it has said. */
class Tenant {
  readonly mark: string;
  readonly told = new Set<string>();
  readonly said = new Set<string>();
  world: World | undefined;
  readonly #samples = new Map<string, { sample: Sample; left: number }>();

  constructor(name: string) {
    this.mark = `principal-of-${name}`;
  }

  /** Prepares objects under names that only this tenant has. */
  async settle(service: TestService): Promise<void> {
    const own: TestService = {
      ...service,
      request: async (method, path, options = {}) => {
        const { body } = options;
        const marked =
          body === undefined ? options : { ...options, body: this.markedText(JSON.stringify(body)) };
        const answer = await service.request(method, path, marked);
        this.hears(JSON.stringify(answer.body));
        return answer;
      },
    };
    this.world = await createWorld(own);
  }

  markedText(text: string): string {
    return text.replaceAll(USER, this.mark).replaceAll('"Agent"', `"Agent ${this.mark}"`);
  }

  hears(text: string): void {
    for (const id of idsIn(text)) this.told.add(id);
  }

  async sample(operation: Operation): Promise<Sample> {
    const kept = this.#samples.get(operation.name);
    if (kept && kept.left > 0) {
      kept.left -= 1;
      return kept.sample;
    }
    if (!this.world) throw new Error('the tenant has not settled');
    const sample = await sampleFor(this.world, operation).catch((error: unknown) => {
      // In a long run a list may be too long to have the newest anomaly; an acknowledged one is a request, too.
      if (!kept) throw error;
      return kept.sample;
    });
    this.#samples.set(operation.name, { sample, left: USES - 1 });
    return sample;
  }
}

/** Members and parameters that name objects or are tokens. */
const NAMING = [
  'agentId',
  'grantId',
  'subAgentId',
  'parentGrantToken',
  'token',
  'refreshToken',
  'code',
  'jti',
];
/** `own` with the objects of `other`. */
function stolen(own: Sample, other: Sample): Sample {
  const named = (members: Readonly<Record<string, unknown>> = {}) =>
    Object.fromEntries(Object.entries(members).filter(([name]) => NAMING.includes(name)));
  return {
    ...own,
    ...(other.id !== undefined && { id: other.id }),
    ...(own.body && { body: { ...own.body, ...named(other.body) } }),
    ...(own.query && { query: { ...own.query, ...(named(other.query) as Record<string, string>) } }),
  };
}

export interface Figures {
  readonly requests: number;
  readonly statuses: Readonly<Record<number, number>>;
  /** Answers that had to be looked at for ids and marks of the other tenant. */
  readonly compared: number;
  /** Answers of public routes that had some: those of consent, to whom knows the id of the request. */
  readonly shown: number;
  readonly seconds: number;
}

/**
 * Sends `count` generated requests with the keys of two developers, half of them about the other's objects.
 * @throws the first answer that is a 5xx, differs from the document, or has something of the other developer
 */
export async function pryIntoEachOther(service: TestService, count: number, seed: number): Promise<Figures> {
  const begun = performance.now();
  const tenants = [new Tenant('anna'), new Tenant('berta')] as const;
  for (const tenant of tenants) await tenant.settle(service);
  const document = new ApiDocument((await service.request('GET', '/openapi.json')).body);
  const sender = createSender(service.url, WIDTH);
  const statuses: Record<number, number> = {};
  let compared = 0;
  let shown = 0;

  const one = async (plan: Plan): Promise<void> => {
    const operation = document.operations[plan.operation];
    if (!operation) throw new Error('no such operation');
    const [tenant, other] = plan.tenant === 0 ? tenants : ([tenants[1], tenants[0]] as const);
    const own = await tenant.sample(operation);
    const sample = plan.steals ? stolen(own, await other.sample(operation)) : own;
    const made = outgoing(operation, sample, plan.edits);
    const request: Outgoing = {
      ...made,
      path: made.path.replaceAll(USER, tenant.mark),
      ...(typeof made.body === 'string' && { body: tenant.markedText(made.body) }),
    };
    for (const id of idsIn(`${request.path} ${decodeURIComponentSafely(request.path)} ${request.body ?? ''}`))
      tenant.said.add(id);
    const answer = await sender.send(request);
    statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
    const faults = [...faultsOf(document, operation, answer), ...leaksOf(operation, answer, tenant, other)];
    if (faults.length > 0)
      throw new Error(
        `${operation.name}: ${faults.join('; ')}; ${JSON.stringify({ plan, request, answer })}`,
      );
  };
  const leaksOf = ({ isPublic }: Operation, { body }: Answer, tenant: Tenant, other: Tenant): string[] => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const found = idsIn(text).filter((id) => other.told.has(id) && !tenant.said.has(id));
    if (text.includes(other.mark)) found.push(other.mark);
    if (isPublic) {
      // Who knows the id of a pending request may see whose agent asks for what: these routes show that a leak is noticed.
      shown += Math.sign(found.length);
      return [];
    }
    compared += 1;
    tenant.hears(text);
    return found.map((what) => `it has ${what} of the other`);
  };

  try {
    for (let done = 0; done < count; done += WIDTH) {
      const parameters = { numRuns: Math.min(WIDTH, count - done), seed: seed + done };
      const plans = fc.sample(PLAN(document.operations.length), parameters);
      await Promise.all(plans.map(one));
    }
  } finally {
    sender.close();
  }
  return {
    requests: count,
    statuses,
    compared,
    shown,
    seconds: Math.round((performance.now() - begun) / 1000),
  };
}

const faultsOf = (document: ApiDocument, operation: Operation, answer: Answer): string[] => [
  ...(answer.status >= 500 ? [String(answer.status)] : []),
  ...document.faults(operation, answer),
];

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Generated paths may be no percent-encoding at all.
    return text;
  }
}
