import { expect } from 'vitest';
import { at } from '../at.ts';
import { type Given, principalId } from '../given.ts';
import type { PolicyActs, PolicyModel, Terms } from './model.ts';

/** The acts on policies, done to the service. */
export class RealPolicies implements PolicyActs {
  private readonly given: Given;

  constructor(given: Given) {
    this.given = given;
  }

  async add(developer: number, terms: Terms): Promise<number> {
    const asked = { name: 'Rule', ...this.written(terms) };
    const { status, body } = await this.given.ask(developer, 'POST', '/v1/policies', asked);
    if (status === 201) this.given.policies.push(body.id);
    return status;
  }

  async change(developer: number, policy: number, change: Partial<Terms>): Promise<number> {
    const path = `/v1/policies/${at(this.given.policies, policy)}`;
    return (await this.given.ask(developer, 'PATCH', path, this.written(change))).status;
  }

  async remove(developer: number, policy: number): Promise<number> {
    const path = `/v1/policies/${at(this.given.policies, policy)}`;
    return (await this.given.ask(developer, 'DELETE', path)).status;
  }

  /** The list of each developer, in its order. */
  async compare(model: PolicyModel): Promise<void> {
    const seen = await Promise.all(
      this.given.developers.map(async (_, developer) => {
        const { body } = await this.given.ask(developer, 'GET', '/v1/policies');
        return body.policies.map((policy: Record<string, unknown>) => {
          const { id, effect, priority, agentId, principalId, scopes } = policy;
          return { id, effect, priority, agentId, principalId, scopes };
        });
      }),
    );
    const expected = this.given.developers.map((_, developer) =>
      model.of(developer).map((policy) => ({
        id: at(this.given.policies, policy.number),
        ...this.written(policy),
      })),
    );
    expect(seen).toEqual(expected);
  }

  /** As the service is told of them. */
  private written({ effect, priority, agent, principal, scopes }: Partial<Terms>) {
    return {
      ...(effect !== undefined && { effect }),
      ...(priority !== undefined && { priority }),
      ...(agent !== undefined && { agentId: agent === null ? null : at(this.given.agents, agent) }),
      ...(principal !== undefined && { principalId: principal === null ? null : principalId(principal) }),
      ...(scopes !== undefined && { scopes }),
    };
  }
}
