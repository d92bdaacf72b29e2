import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readText } from '../deploy/compose-file.ts';
import { startService, type TestService } from '../support/service.ts';
import { type Rendered, type Resource, render, rendered, resourcesIn } from './kubernetes/chart.ts';
import { runProgram } from './python.ts';

const VERSION: string = JSON.parse(readText('package.json')).version;

/** A rule of an ingress that leads everything of a host to the service. */
const rule = (host: string) => ({
  host,
  http: {
    paths: [
      {
        path: '/',
        pathType: 'Prefix',
        backend: { service: { name: 'auth-grantex-auth', port: { name: 'http' } } },
      },
    ],
  },
});

const charts = {} as Record<'defaults' | 'production', Rendered>;

beforeAll(async () => {
  charts.defaults = await rendered('defaults');
  charts.production = await rendered('production');
});

describe('where and as whom the pods run', () => {
  const HOST = 'auth.example.com';

  test('names the image by its digest, everywhere', () => {
    const images = [
      charts.production.container,
      charts.production.one('Job', 'auth-grantex-auth-migrate').spec.template.spec.containers[0],
      charts.production.one('Pod', 'auth-grantex-auth-test').spec.containers[0],
    ].map(({ image }) => image);
    const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
    expect(images).toEqual(Array(3).fill(`registry.example.com/auth/grantex-auth@${digest}`));
    expect(charts.defaults.container.image).toBe(`grantex-auth:${VERSION}`);
  });

  test('its ingress leads the host of PUBLIC_URL to the port of the service, with TLS', () => {
    const ingress = charts.production.one('Ingress');
    expect(ingress.metadata.annotations).toEqual({ 'cert-manager.io/cluster-issuer': 'letsencrypt' });
    expect(ingress.spec).toEqual({
      ingressClassName: 'nginx',
      tls: [{ secretName: 'auth-tls', hosts: [HOST] }],
      rules: [rule(HOST)],
    });
    expect(charts.production.one('Service').spec.ports).toEqual([
      { name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' },
    ]);
    expect(charts.defaults.kinds).not.toContain('Ingress');
  });

  test('its ingress may have other hosts, and wants one', async () => {
    const others = await render('production', '--set', 'ingress.hosts={a.example.com,b.example.com}');
    const [ingress] = resourcesIn(others.output).filter(({ kind }) => kind === 'Ingress');
    expect(ingress.spec.rules).toEqual([rule('a.example.com'), rule('b.example.com')]);
    expect(ingress.spec.tls[0].hosts).toEqual(['a.example.com', 'b.example.com']);
    const ported = await render('production', '--set', 'env.PUBLIC_URL=https://auth.example.com:8443');
    const [plain] = resourcesIn(ported.output).filter(({ kind }) => kind === 'Ingress');
    expect(plain.spec.rules).toEqual([rule(HOST)]);
    const none = await render('minimal', '--set', 'ingress.enabled=true');
    expect(none.code).toBe(1);
    expect(none.output).toContain('ingress.hosts is empty, and env.PUBLIC_URL names no host either');
  });

  test('its security context leaves to OpenShift what OpenShift chooses', () => {
    const left = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };
    const { template } = charts.production.one('Deployment').spec;
    expect(template.spec.securityContext).toEqual(left);
    const migrate = charts.production.one('Job', 'auth-grantex-auth-migrate').spec.template;
    expect(migrate.spec.securityContext).toEqual(left);
    const usual = charts.defaults.one('Deployment').spec.template.spec.securityContext;
    expect(usual).toEqual({ ...left, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 });
  });
});

describe('helm test', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService({ env: { METRICS_API_KEY: 'of-the-scraper' } });
  });
  afterAll(() => service?.stop());

  /** Runs what the pod runs, with its variables and the addresses of a service that is here. */
  async function runPod(env: Record<string, string>) {
    const [{ command, env: variables }] = charts.production.one('Pod', 'auth-grantex-auth-test').spec
      .containers;
    const given = variables.map((entry: Resource) => [entry.name, env[entry.name] ?? '']);
    const [, ...words] = command;
    return runProgram(process.execPath, words, { env: Object.fromEntries(given) });
  }

  test('is a pod that asks by the ways of callers and of Prometheus', () => {
    const pod = charts.production.one('Pod', 'auth-grantex-auth-test');
    expect(pod.metadata.annotations['helm.sh/hook']).toBe('test');
    expect(pod.spec.restartPolicy).toBe('Never');
    expect(pod.spec.containers[0].env).toEqual([
      { name: 'HEALTH_URL', value: 'http://auth-grantex-auth:80/health' },
      { name: 'METRICS_URL', value: 'http://auth-grantex-auth-metrics:9464/metrics' },
      { name: 'METRICS_API_KEY', valueFrom: { secretKeyRef: { name: 'auth', key: 'metrics-key' } } },
    ]);
  });

  test('is let in whoever else is, for as long as it runs', () => {
    const policy = charts.production.one('NetworkPolicy', 'auth-grantex-auth-test');
    expect(policy.metadata.annotations).toEqual({
      'helm.sh/hook': 'test',
      'helm.sh/hook-weight': '-1',
      'helm.sh/hook-delete-policy': 'before-hook-creation,hook-succeeded,hook-failed',
    });
    const [{ from, ports }] = policy.spec.ingress;
    const { labels } = charts.production.one('Pod', 'auth-grantex-auth-test').metadata;
    expect(labels).toMatchObject(from[0].podSelector.matchLabels);
    expect(ports.map(({ port }: Resource) => port)).toEqual(['http', 'metrics']);
    const served = charts.production.one('Deployment').spec.template.metadata.labels;
    expect(served).toMatchObject(policy.spec.podSelector.matchLabels);
  });

  test('passes against a service that works', async () => {
    const { code, output } = await runPod({
      HEALTH_URL: `${service.url}/health`,
      METRICS_URL: `${service.url}/metrics`,
      METRICS_API_KEY: 'of-the-scraper',
    });
    expect(output).toBe(`ok: ${service.url}/health 200\nok: ${service.url}/metrics 200\n`);
    expect(code).toBe(0);
  });

  test('fails, and says why, when nobody listens or the metrics are refused', async () => {
    const { code, output } = await runPod({
      HEALTH_URL: 'http://127.0.0.1:1/health',
      METRICS_URL: `${service.url}/metrics`,
      METRICS_API_KEY: 'of-somebody-else',
    });
    expect(output).toContain('failed: http://127.0.0.1:1/health 0 ');
    expect(output).toContain(`failed: ${service.url}/metrics 401 `);
    expect(code).toBe(1);
  });

  test('does not ask for metrics that are off', async () => {
    const { output } = await render('defaults', '--set', 'env.METRICS_ENABLED=false');
    const [pod] = resourcesIn(output).filter(({ kind }) => kind === 'Pod');
    expect(pod.spec.containers[0].env.map(({ name }: Resource) => name)).toEqual(['HEALTH_URL']);
  });
});
