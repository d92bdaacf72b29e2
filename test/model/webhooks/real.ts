import { at } from '../at.ts';
import type { Given } from '../given.ts';
import type { Inbox } from './inbox.ts';
import type { Manner, WebhookActs } from './model.ts';

/** The acts on webhooks, done to the service. Each has a path of its own at the receiver. */
export class RealWebhooks implements WebhookActs {
  readonly inbox: Inbox;
  private readonly given: Given;

  constructor(given: Given, inbox: Inbox) {
    this.given = given;
    this.inbox = inbox;
  }

  async register(developer: number, manner: Manner, events: readonly string[]): Promise<number> {
    const name = `${at(this.given.developers, developer).id}/${this.given.webhooks.length}`;
    const { url, path } = this.inbox.address(name, manner);
    const { status, body } = await this.given.ask(developer, 'POST', '/v1/webhooks', { url, events });
    if (status === 201) this.given.webhooks.push({ id: body.id, path });
    return status;
  }

  async remove(developer: number, hook: number): Promise<number> {
    const path = `/v1/webhooks/${at(this.given.webhooks, hook).id}`;
    return (await this.given.ask(developer, 'DELETE', path)).status;
  }
}
