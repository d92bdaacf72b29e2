import type { Status } from '../protocol.ts';

export const EVENTS = ['grant.created', 'grant.revoked', 'token.issued'] as const;
type EventType = (typeof EVENTS)[number];

/** How a receiver answers: always 204; always 410, after which nothing is tried again; 503 to each event's first attempt. */
export type Manner = 'well' | 'gone' | 'slowly';

/** An event by the numbers of the model. */
export type Told =
  | { readonly type: 'grant.created'; readonly grant: number }
  | { readonly type: 'grant.revoked'; readonly grant: number; readonly cascade: boolean }
  | { readonly type: 'token.issued'; readonly grant: number; readonly token: number };

interface Hook {
  readonly developer: number;
  readonly manner: Manner;
  readonly events: readonly EventType[];
  /** What it must be told, or must have been: one delivery each. */
  readonly told: Told[];
  removed: boolean;
}

export interface WebhookActs {
  register(developer: number, manner: Manner, events: readonly EventType[]): Status;
  remove(developer: number, hook: number): Status;
}

/** Who must hear of what. */
export class WebhookModel implements WebhookActs {
  readonly all: Hook[] = [];

  register(developer: number, manner: Manner, events: readonly EventType[]): number {
    this.all.push({ developer, manner, events, told: [], removed: false });
    return 201;
  }

  remove(developer: number, hook: number): number {
    const found = this.all[hook];
    if (found?.developer !== developer || found.removed) return 404;
    found.removed = true;
    return 204;
  }

  /** Of this developer's webhooks, those that are there now and asked for such events hear of it. */
  tell(developer: number | undefined, event: Told): void {
    for (const hook of this.all)
      if (hook.developer === developer && !hook.removed && hook.events.includes(event.type))
        hook.told.push(event);
  }

  /** Deliveries that there have ever been in this run, whatever became of them. */
  deliveries(): number {
    return this.all.reduce((sum, { told }) => sum + told.length, 0);
  }
}
