import { expect, vi } from 'vitest';
import { PATIENCE_MS } from '../../support/child.ts';
import { deliveryLedgerOf } from '../../support/ledger.ts';
import type { TestService } from '../../support/service.ts';
import type { Inbox } from './inbox.ts';

const WITHIN = { timeout: PATIENCE_MS, interval: 20 };

/** By how much each counter differs from what it counts. */
type Gaps = Readonly<
  Record<'delivered' | 'failed' | 'byAgent' | '2xx' | '4xx' | '5xx' | 'unanswered', number>
>;

/**
 * The counters of the only service of a database, held against its rows and against what receivers answered. What was found
 * wrong once is not held against later runs: a failure could not be made smaller otherwise.
 */
export class WebhookCounters {
  private known: Gaps = { delivered: 0, failed: 0, byAgent: 0, '2xx': 0, '4xx': 0, '5xx': 0, unanswered: 0 };
  private readonly service: TestService;
  private readonly inbox: Inbox;

  constructor(service: TestService, inbox: Inbox) {
    this.service = service;
    this.inbox = inbox;
  }

  /** True by and by: an attempt is counted after it is stored, and deliveries of earlier runs may be under way. */
  async compare(): Promise<void> {
    try {
      await vi.waitFor(async () => expect(await this.gaps()).toEqual(this.known), WITHIN);
    } catch (error) {
      this.known = await this.gaps();
      throw error;
    }
  }

  private async gaps(): Promise<Gaps> {
    const { answered } = this.inbox;
    const { delivered, failed } = await deliveryLedgerOf(this.service.database);
    const scrape = await this.service.scrape();
    const ended = (status: string) =>
      scrape.value('grantex_webhook_deliveries_total', { status }) ?? Number.NaN;
    const attempts = (outcome: string) =>
      scrape.value('grantex_webhook_attempts_total', { outcome }) ?? Number.NaN;
    const answers = attempts('2xx') + attempts('4xx') + attempts('5xx');
    return {
      delivered: ended('delivered') - delivered,
      failed: ended('failed') - failed,
      byAgent:
        scrape.sum('grantex_agent_webhook_deliveries_total') - scrape.sum('grantex_webhook_deliveries_total'),
      '2xx': attempts('2xx') - answered['2xx'],
      '4xx': attempts('4xx') - answered['4xx'],
      '5xx': attempts('5xx') - answered['5xx'],
      unanswered: scrape.sum('grantex_webhook_attempts_total') - answers,
    };
  }
}
