import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { readText } from '../deploy/compose-file.ts';
import { temporaryDirectory } from '../support/service.ts';
import {
  lint,
  type Rendered,
  type Resource,
  render,
  rendered,
  VALUE_SETS,
  type ValueSet,
} from './kubernetes/chart.ts';
import { installPython, runProgram } from './python.ts';

/** The `extraEnv` of a value set that Node.js reads, not the service. */
const OF_NODE = ['NODE_EXTRA_CA_CERTS'];

const charts = {} as Record<ValueSet, Rendered>;
let python: string;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;

beforeAll(async () => {
  directory = await temporaryDirectory();
  python = await installPython('kubernetes', new URL('kubernetes/requirements.txt', import.meta.url));
  for (const set of VALUE_SETS) charts[set] = await rendered(set);
});
afterAll(() => directory?.remove());

describe('every value set', () => {
  test.each(VALUE_SETS)('%s passes helm lint', async (set) => {
    const { code, output } = await lint(set);
    expect(output).toContain('1 chart(s) linted, 0 chart(s) failed');
    expect(code).toBe(0);
  });

  test.each(['1.27', '1.37'])('follows the schemas of Kubernetes %s, strictly', async (version) => {
    const files = [];
    for (const set of VALUE_SETS) {
      files.push(join(directory.path, `${set}.yaml`));
      await writeFile(files.at(-1) ?? '', charts[set].text);
    }
    const program = fileURLToPath(new URL('kubernetes/validate.py', import.meta.url));
    const { code, output } = await runProgram(python, [program, version, ...files]);
    const builtIn = VALUE_SETS.flatMap((set) => charts[set].resources).filter(
      ({ apiVersion }) => !apiVersion.startsWith('monitoring.coreos.com/'),
    );
    expect(output).toBe(`checked ${builtIn.length}\n`);
    expect(code).toBe(0);
  });

  test.each(VALUE_SETS)(
    '%s runs as nobody in particular, writes nothing and asks nothing of Kubernetes',
    (set) => {
      const running = charts[set].resources.filter(({ kind }) => ['Deployment', 'Job', 'Pod'].includes(kind));
      expect(running.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['Deployment', 'Pod']));
      for (const { kind, spec } of running) {
        const pod = spec.template?.spec ?? spec;
        expect(pod.automountServiceAccountToken, kind).toBe(false);
        expect(pod.securityContext, kind).toMatchObject({
          runAsNonRoot: true,
          seccompProfile: { type: 'RuntimeDefault' },
        });
        for (const { securityContext } of pod.containers)
          expect(securityContext, kind).toEqual({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          });
      }
    },
  );

  test.each(VALUE_SETS)('%s has no secret in it', (set) => {
    expect(charts[set].kinds).not.toContain('Secret');
    for (const name of ['DATABASE_URL', 'SECRET_KEY'])
      expect(Object.keys(charts[set].variables[name]), name).toEqual(['secretKeyRef']);
  });

  test.each(VALUE_SETS)(
    '%s asks the routes that the service has, and is given the time that its end takes',
    (set) => {
      const { startupProbe, livenessProbe, readinessProbe, ports } = charts[set].container;
      expect([startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet)).toEqual([
        { path: '/health/live', port: 'http' },
        { path: '/health/live', port: 'http' },
        { path: '/health/ready', port: 'http' },
      ]);
      for (const { path } of [livenessProbe.httpGet, readinessProbe.httpGet])
        expect(readText('src/system/routes.ts')).toContain(`'${path}'`);
      const { PORT, METRICS_PORT, SHUTDOWN_DELAY_MS } = charts[set].variables;
      expect(ports).toEqual([
        { name: 'http', containerPort: Number(PORT), protocol: 'TCP' },
        { name: 'metrics', containerPort: Number(METRICS_PORT), protocol: 'TCP' },
      ]);
      expect(Number(PORT)).toBe(loadConfig({}).port);
      const { terminationGracePeriodSeconds: grace } = charts[set].one('Deployment').spec.template.spec;
      expect(SHUTDOWN_DELAY_MS).toBe('5000');
      const ends = Number(SHUTDOWN_DELAY_MS) + loadConfig({}).shutdownTimeoutMs;
      expect(grace).toBeGreaterThan(ends / 1000);
    },
  );

  test.each(VALUE_SETS)('%s gives the service variables that it reads, with values that it takes', (set) => {
    const given = charts[set].variables;
    const read = new Set<string>();
    loadConfig(new Proxy({}, { get: (_, name) => void read.add(String(name)) }));
    const standard = new Set(readText('.env.example').match(/(?<=^#)OTEL_\w+(?==)/gm));
    // Variables with a fieldRef are only parts of other variables.
    for (const [name, value] of Object.entries(given))
      if (!value.fieldRef) expect([...read, ...standard, ...OF_NODE], name).toContain(name);
    const plain = Object.fromEntries(Object.entries(given).filter(([, value]) => typeof value === 'string'));
    delete plain['SIGNING_KEYS_FILE'];
    const secrets = {
      DATABASE_URL: 'postgres://db/grantex',
      SECRET_KEY: Buffer.alloc(32).toString('base64'),
    };
    expect(loadConfig({ ...plain, ...secrets })).toMatchObject({
      host: '0.0.0.0',
      port: 3001,
      metricsPort: 9464,
    });
  });
});

describe('defaults', () => {
  test('are a Deployment of two that comes after its migration, its services, and what keeps one of them up', () => {
    expect(charts.defaults.kinds).toEqual(
      [
        'Deployment',
        'Job',
        'NetworkPolicy',
        'NetworkPolicy',
        'Pod',
        'PodDisruptionBudget',
        'Service',
        'Service',
        'ServiceAccount',
      ].toSorted(),
    );
    expect(charts.defaults.one('Deployment').spec).toMatchObject({
      replicas: 2,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    });
    expect(charts.defaults.variables).toMatchObject({ MIGRATE_ON_START: 'false', TRUST_PROXY: '1' });
    const { topologySpreadConstraints } = charts.defaults.one('Deployment').spec.template.spec;
    expect(topologySpreadConstraints.map((each: Resource) => each.topologyKey)).toEqual([
      'topology.kubernetes.io/zone',
      'kubernetes.io/hostname',
    ]);
    const job = charts.defaults.one('Job', 'auth-grantex-auth-migrate');
    expect(job.metadata.annotations).toEqual({
      'helm.sh/hook': 'pre-install,pre-upgrade',
      'helm.sh/hook-delete-policy': 'before-hook-creation,hook-succeeded',
    });
    const [migrate] = job.spec.template.spec.containers;
    expect(migrate.command).toEqual(['node', 'src/commands/migrate.ts']);
    expect(migrate.env.map((entry: Resource) => entry.name)).toEqual(['DATABASE_URL']);
  });

  test('the pods that serve are the only ones that are selected', () => {
    const { template, selector } = charts.defaults.one('Deployment').spec;
    const others = [
      charts.defaults.one('Job', 'auth-grantex-auth-migrate').spec.template.metadata.labels,
      charts.defaults.one('Pod', 'auth-grantex-auth-test').metadata.labels,
    ];
    for (const labels of [
      selector.matchLabels,
      charts.defaults.one('Service').spec.selector,
      charts.defaults.one('Service', 'auth-grantex-auth-metrics').spec.selector,
      charts.defaults.one('PodDisruptionBudget').spec.selector.matchLabels,
    ]) {
      expect(template.metadata.labels).toMatchObject(labels);
      for (const other of others) expect(other).not.toMatchObject(labels);
    }
  });
});

describe('minimal', () => {
  test('is one replica that migrates by itself, and nothing around it', () => {
    expect(charts.minimal.kinds).toEqual(['Deployment', 'Pod', 'Service', 'Service']);
    expect(charts.minimal.one('Deployment').spec.replicas).toBe(1);
    expect(charts.minimal.one('Deployment').spec.template.spec).toMatchObject({
      serviceAccountName: 'default',
    });
    expect(charts.minimal.variables).not.toHaveProperty('MIGRATE_ON_START');
    expect(charts.minimal.variables).not.toHaveProperty('PUBLIC_URL');
  });
});

describe('production', () => {
  const DATABASE_CA = { name: 'database-ca', secret: { secretName: 'auth-db-ca' } };
  const DATABASE_CA_MOUNT = { name: 'database-ca', mountPath: '/etc/database-ca', readOnly: true };

  test('takes its secrets from where they are', () => {
    expect(charts.production.variables).toMatchObject({
      DATABASE_URL: { secretKeyRef: { name: 'auth-db-app', key: 'uri' } },
      SECRET_KEY: { secretKeyRef: { name: 'auth', key: 'secret-key' } },
      REDIS_URL: { secretKeyRef: { name: 'auth-redis', key: 'url' } },
      METRICS_API_KEY: { secretKeyRef: { name: 'auth', key: 'metrics-key' } },
      SIGNING_KEYS_FILE: '/etc/grantex-auth/signing-keys.json',
      SIGNUP_ENABLED: 'false',
      OTEL_TRACES_SAMPLER_ARG: '0.1',
    });
    expect(charts.production.container.volumeMounts).toEqual([
      { name: 'signing-keys', mountPath: '/etc/grantex-auth', readOnly: true },
      DATABASE_CA_MOUNT,
    ]);
    expect(charts.production.one('Deployment').spec.template.spec.volumes).toEqual([
      {
        name: 'signing-keys',
        secret: { secretName: 'auth-signing', items: [{ key: 'jwks.json', path: 'signing-keys.json' }] },
      },
      DATABASE_CA,
    ]);
  });

  test('has the private authority of its database, also for the migration', () => {
    const { template } = charts.production.one('Job', 'auth-grantex-auth-migrate').spec;
    const [migrate] = template.spec.containers;
    expect(template.spec.volumes).toEqual([DATABASE_CA]);
    expect(migrate.volumeMounts).toEqual([DATABASE_CA_MOUNT]);
    const trusted = { name: 'NODE_EXTRA_CA_CERTS', value: '/etc/database-ca/ca.crt' };
    expect(migrate.env).toContainEqual(trusted);
    expect(charts.production.container.env).toContainEqual(trusted);
    for (const { spec } of [charts.minimal.one('Deployment'), charts.defaults.one('Deployment')]) {
      expect(spec.template.spec).not.toHaveProperty('volumes');
      expect(spec.template.spec.containers[0]).not.toHaveProperty('volumeMounts');
    }
  });

  test('leaves the number of replicas to the autoscaler', () => {
    expect(charts.production.one('Deployment').spec).not.toHaveProperty('replicas');
    expect(charts.production.one('HorizontalPodAutoscaler').spec).toMatchObject({
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'auth-grantex-auth' },
      minReplicas: 3,
      maxReplicas: 12,
      // 0.7 of a core, whatever a replica requests.
      metrics: [{ resource: { name: 'cpu', target: { type: 'AverageValue', averageValue: '700m' } } }],
    });
  });

  test('the NetworkPolicy lets in whom it names, and out to what the service needs', () => {
    const { spec } = charts.production.one('NetworkPolicy');
    expect(charts.production.one('Deployment').spec.template.metadata.labels).toMatchObject(
      spec.podSelector.matchLabels,
    );
    const from = (name: string) => [
      { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } },
    ];
    expect(spec.ingress).toEqual([
      { ports: [{ port: 'http', protocol: 'TCP' }], from: from('ingress-nginx') },
      { ports: [{ port: 'metrics', protocol: 'TCP' }], from: from('monitoring') },
    ]);
    const open = spec.egress.flatMap((rule: Resource) => (rule.to ? [] : rule.ports));
    expect(open.map((each: Resource) => each.port)).toEqual([53, 53, 5432, 6379, 4318]);
  });
});

describe('the schema of the values', () => {
  test.each([
    ['an unknown value', 'replicas=3', "additional properties 'replicas' not allowed"],
    [
      'a variable that the service does not read',
      'env.PUBLIC_URI=x',
      "additional properties 'PUBLIC_URI' not allowed",
    ],
    ['a secret in clear', 'env.SECRET_KEY=x', "additional properties 'SECRET_KEY' not allowed"],
    ['a volume without a name', 'extraVolumes[0].emptyDir.medium=Memory', "missing property 'name'"],
    ['a digest that is none', 'image.digest=sha256:abc', 'does not match pattern'],
    ['a host with a path', 'ingress.hosts={example.com/auth}', 'does not match pattern'],
    ['a port that is none', 'service.port=0', 'minimum'],
    ['metrics on the port of the service', 'metrics.port=3001', 'not'],
    [
      'another pause between health checks than that which the alert counts by',
      'metrics.probe.interval=30s',
      "additional properties 'interval' not allowed",
    ],
  ])('refuses %s', async (_, setting, complaint) => {
    const { code, output } = await render('defaults', '--set', setting);
    expect(code).toBe(1);
    expect(output).toContain("values don't meet the specifications of the schema");
    expect(output).toContain(complaint);
  });
});
