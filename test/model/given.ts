import type { Answer, TestService } from '../support/service.ts';
import { at } from './at.ts';

/** Ids and secrets that the service gave out, under the numbers that the model has for them. */
export class Given {
  readonly developers: { key: string; id: string }[] = [];
  readonly agents: string[] = [];
  readonly requests: { id: string; byPolicy: boolean }[] = [];
  readonly codes: string[] = [];
  readonly grants: string[] = [];
  readonly tokens: { jwt: string; jti: string }[] = [];
  readonly refreshes: string[] = [];
  readonly policies: string[] = [];
  readonly webhooks: { id: string; path: string }[] = [];
  readonly service: TestService;

  constructor(service: TestService) {
    this.service = service;
  }

  /** A request with a developer's key. */
  ask(developer: number, method: string, path: string, body?: unknown, headers = {}): Promise<Answer> {
    const { key } = at(this.developers, developer);
    return this.service.request(method, path, { key, body, headers });
  }
}

/** The same in every developer's realm, and yet not the same people. */
export const principalId = (principal: number): string => `user_${principal + 1}`;
export const PRINCIPALS = [0, 1] as const;
