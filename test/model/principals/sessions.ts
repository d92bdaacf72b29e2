import { expect } from 'vitest';
import type { Answer } from '../../support/service.ts';
import { at, which } from '../at.ts';
import { type Given, PRINCIPALS, principalId } from '../given.ts';
import type { Model } from '../model.ts';
import type { Session } from '../protocol.ts';

/** Principals who look at what they permitted, each with one session for each developer. */
export class Sessions {
  private readonly given: Given;
  private readonly tokens = new Map<string, Promise<string>>();

  constructor(given: Given) {
    this.given = given;
  }

  async ask(session: Session, method: string, path: string): Promise<Answer> {
    const name = `${session.developer} ${session.principal}`;
    const token = this.tokens.get(name) ?? this.open(session);
    this.tokens.set(name, token);
    return this.given.service.request(method, path, { key: await token });
  }

  /** Each session lists all grants of its principal under its developer, the living first, and no others. */
  async compare(model: Model): Promise<void> {
    const sessions = which(this.given.developers).flatMap((developer) =>
      PRINCIPALS.map((principal) => ({ developer, principal })),
    );
    await Promise.all(sessions.map((session) => this.compareOne(model, session)));
  }

  private async compareOne(model: Model, session: Session): Promise<void> {
    const { body } = await this.ask(session, 'GET', '/v1/principal/grants?pageSize=100');
    const expected = which(
      model.grants,
      ({ principal, removed }, grant) =>
        !removed && principal === session.principal && model.developerOf(grant) === session.developer,
    ).map((grant) => `${model.statusOf(grant)} ${at(this.given.grants, grant)}`);
    const seen: string[] = body.grants.map(
      ({ status, grantId }: { status: string; grantId: string }) => `${status} ${grantId}`,
    );
    expect([...seen].sort()).toEqual(expected.sort());
    expect([body.principalId, body.total]).toEqual([principalId(session.principal), expected.length]);
    const ended = seen.findIndex((one) => !one.startsWith('active'));
    expect(ended === -1 ? [] : seen.slice(ended).filter((one) => one.startsWith('active'))).toEqual([]);
  }

  private async open({ developer, principal }: Session): Promise<string> {
    const asked = { principalId: principalId(principal) };
    const { status, body } = await this.given.ask(developer, 'POST', '/v1/principal-sessions', asked);
    expect(status).toBe(201);
    return body.sessionToken;
  }
}
