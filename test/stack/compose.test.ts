import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compose, ROOT } from '../deploy/compose-file.ts';
import { temporaryDirectory } from '../support/service.ts';
import { binary } from './binaries/build.ts';
import { runProgram } from './python.ts';

/** A separate directory, so that no `.env` of the checkout is read. */
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let program: string;

beforeAll(async () => {
  program = await binary('compose');
  directory = await temporaryDirectory();
  await copyFile(join(ROOT, 'docker-compose.yml'), join(directory.path, 'docker-compose.yml'));
});
afterAll(() => directory?.remove());

const load = (...settings: readonly string[]) =>
  runProgram('env', [...settings, program], { cwd: directory.path });

const SECRETS = [
  'STACK_POSTGRES_PASSWORD=hidden1',
  'STACK_SECRET_KEY=hidden2',
  'STACK_GRAFANA_PASSWORD=hidden3',
];

describe("docker-compose.yml, loaded by compose's own library", () => {
  test('follows the schema, is consistent, and takes the secrets from the environment', async () => {
    const { code, output } = await load(...SECRETS, 'STACK_DEMO=true');
    expect(output.slice(0, 1), output).toBe('{');
    expect(code).toBe(0);
    const project = JSON.parse(output);
    expect(Object.keys(project.services).toSorted()).toEqual(Object.keys(compose.services).toSorted());
    expect(project.services['grantex-auth'].environment).toMatchObject({
      DATABASE_URL: 'postgres://grantex:hidden1@postgres:5432/grantex',
      SECRET_KEY: 'hidden2',
      ALLOW_PRIVATE_WEBHOOK_HOSTS: 'true',
    });
    expect(project.services.postgres.environment.POSTGRES_PASSWORD).toBe('hidden1');
    expect(project.services.grafana.environment.GF_SECURITY_ADMIN_PASSWORD).toBe('hidden3');
    expect(project.services.demo.profiles).toEqual(['demo']);
    // Every service really has the settings that it inherits from a common block.
    for (const [name, service] of Object.entries<Record<string, unknown>>(project.services)) {
      expect(service['restart'], name).toBe('unless-stopped');
      expect(service['security_opt'], name).toEqual(['no-new-privileges:true']);
      if (name !== 'postgres') expect(service, name).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
    }
  });

  test.each([
    ['otel-collector', 'otelcol', 'otel-collector/config.yaml'],
    ['jaeger', 'jaeger', 'deploy/jaeger/config.yaml'],
  ])(
    '%s accepts its configuration with the variables that it is given there',
    async (name, validator, file) => {
      const { output } = await load(...SECRETS);
      const { environment, volumes, command } = JSON.parse(output).services[name];
      const inside = /^--config=(.*)$/.exec(command[0])?.[1] ?? '-';
      const { source, target } = volumes.find((volume: { target: string }) =>
        inside.startsWith(volume.target),
      );
      expect(join(ROOT, source.slice(directory.path.length), inside.slice(target.length))).toBe(
        join(ROOT, file),
      );
      const settings = Object.entries(environment).map(([variable, value]) => `${variable}=${value}`);
      // In the configuration, the directory of the queue is inside the container.
      if (name === 'otel-collector') settings.push(`OTELCOL_STORAGE_DIR=${directory.path}`);
      const result = await runProgram('env', [
        ...settings,
        await binary(validator),
        'validate',
        '--config',
        ROOT + file,
      ]);
      expect(result.code, result.output).toBe(0);
    },
  );

  test.each(SECRETS)('does not start without %s', async (secret) => {
    const [name] = secret.split('=');
    const { code, output } = await load(...SECRETS.filter((other) => other !== secret));
    expect(code).toBe(1);
    expect(output).toContain(`required variable ${name} is missing a value`);
  });
});
