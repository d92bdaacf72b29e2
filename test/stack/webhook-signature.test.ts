import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';
import { HOOK_ENV, hook } from '../webhooks/hooks.ts';
import { type Receiver, startReceiver } from '../webhooks/receiver.ts';
import { installPython, runProgram } from './python.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** One request of the service to a receiver. `body` is in base64, so that the program gets exactly these bytes. */
interface Sent {
  readonly secret: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}
type Check = (sent: Sent) => Promise<{ code: number | null; output: string }>;

let service: TestService;
let receiver: Receiver;
let sent: Sent;
let raw: Buffer;
const checks: Record<string, Check> = {};

beforeAll(async () => {
  const page = await readFile(new URL('../../docs/webhooks.md', import.meta.url), 'utf8');
  const block = (language: string): string => {
    const [, text] = new RegExp(`\`\`\`${language} webhook\n(.*?)\`\`\``, 's').exec(page) ?? [];
    if (text === undefined) throw new Error(`the page has no ${language} block`);
    return text;
  };
  const python = await installPython('webhooks', new URL('webhooks/requirements.txt', import.meta.url));
  // The test adds only the code that passes one request to the block and prints its result.
  const inTypeScript = `${block('ts')}
    const { secret, body, headers } = JSON.parse(process.argv[1]);
    console.log(JSON.stringify(readEvent(secret, Buffer.from(body, 'base64').toString(), headers)));`;
  const inPython = `${block('python')}
import base64, json, sys
sent = json.loads(sys.argv[1])
print(json.dumps(read_event(sent["secret"], base64.b64decode(sent["body"]), sent["headers"])))`;
  checks['TypeScript'] = (one) =>
    runProgram(
      process.execPath,
      ['--input-type=module-typescript', '-e', inTypeScript, JSON.stringify(one)],
      { cwd: ROOT },
    );
  checks['Python'] = (one) => runProgram(python, ['-c', inPython, JSON.stringify(one)]);

  service = await startService({ env: HOOK_ENV });
  receiver = await startReceiver();
  const party = await newParty(service);
  const { secret } = await hook(service, party, receiver.url, ['grant.created']);
  // Characters that need more than one byte.
  await party.grant({ principalId: 'пользователь 🦊', scopes: ['"quoted"'] });
  const [received] = await receiver.until(1);
  raw = received?.raw ?? Buffer.alloc(0);
  sent = {
    secret,
    body: raw.toString('base64'),
    headers: received?.headers as Record<string, string>,
  };
});
afterAll(async () => {
  await service?.stop();
  await receiver?.close();
});

describe.each(['TypeScript', 'Python'])('the documented check in %s', (language) => {
  const check: Check = (one) => (checks[language] as Check)(one);

  test('reads the event of a request that the service sent', async () => {
    const { code, output } = await check(sent);
    expect([code, output]).toEqual([0, expect.stringMatching(/^\{.*\}\n$/)]);
    expect(JSON.parse(output)).toEqual(JSON.parse(raw.toString()));
    expect(JSON.parse(output)).toMatchObject({
      type: 'grant.created',
      data: { principalId: 'пользователь 🦊', scopes: ['"quoted"'] },
    });
  });

  test('raises for another body, another secret, another id, and a time that is past', async () => {
    const altered = Buffer.from(raw.toString().replace('grant.created', 'grant.revoked'));
    const other = `whsec_${Buffer.alloc(32).toString('base64')}`;
    const late = String(Number(sent.headers['webhook-timestamp']) - 301);
    const wrong: [Sent, string][] = [
      [{ ...sent, body: altered.toString('base64') }, 'No matching signature found'],
      [{ ...sent, secret: other }, 'No matching signature found'],
      [{ ...sent, headers: { ...sent.headers, 'webhook-id': 'evt_other' } }, 'No matching signature found'],
      [{ ...sent, headers: { ...sent.headers, 'webhook-timestamp': late } }, 'Message timestamp too old'],
    ];
    for (const [one, message] of wrong) {
      const { code, output } = await check(one);
      expect([code, output]).toEqual([1, expect.stringContaining(message)]);
    }
  });
});
