// What `helm test` runs in the cluster: the service answers, and shows its metrics on their own port.
const { HEALTH_URL, METRICS_URL, METRICS_API_KEY } = process.env;
const questions = [
  { url: HEALTH_URL, answer: /"status"/, headers: {} },
  {
    url: METRICS_URL,
    answer: /^grantex_authorize_total/m,
    headers: METRICS_API_KEY ? { authorization: `Bearer ${METRICS_API_KEY}` } : {},
  },
];
for (const { url, answer, headers } of questions.filter((each) => each.url)) {
  const found = await fetch(url, { headers, signal: AbortSignal.timeout(10_000) }).then(
    async (response) => ({ status: response.status, text: await response.text() }),
    (error) => ({ status: 0, text: String(error.cause ?? error) }),
  );
  const right = found.status === 200 && answer.test(found.text);
  process.stdout.write(
    `${right ? 'ok' : 'failed'}: ${url} ${found.status}${right ? '' : ` ${found.text.slice(0, 300)}`}\n`,
  );
  if (!right) process.exitCode = 1;
}
