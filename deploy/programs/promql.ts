import { parser } from '@prometheus-io/lezer-promql';

/** One selector of series, such as `up{job="x"}`. */
export interface Selector {
  readonly metric: string;
  /** `value` has no quotes and no escapes, as Prometheus compares it. */
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly value: string }[];
}

/** Labels that an expression groups or joins by (`by`, `without`, `on`, `ignoring`, `group_left`, `group_right`). */
export interface Grouping {
  readonly labels: readonly string[];
  /** The selectors whose series are grouped or joined. */
  readonly selectors: readonly Selector[];
}

/** The parts of an expression that refer to series. */
export interface Expression {
  readonly selectors: readonly Selector[];
  readonly groupings: readonly Grouping[];
  /** Every metric that the expression selects, once. */
  readonly metrics: readonly string[];
  /** Every label that the expression matches, groups or joins by, once. */
  readonly labels: readonly string[];
}

type Node = ReturnType<typeof parser.parse>['topNode'];

/**
 * Parses PromQL with Prometheus's own grammar. Throws a `SyntaxError` with the position. It does not check the types of
 * function arguments; `promtool check rules` does.
 */
export function parsePromql(text: string): Expression {
  const root = parser.parse(text).topNode;
  for (const node of walk(root)) {
    if (node.type.isError)
      throw new SyntaxError(
        `PromQL, at character ${node.from + 1} (${text.slice(node.from, node.from + 20)}): ${text}`,
      );
  }
  const selectors = selectorsIn(root, text);
  const groupings = find(root, 'GroupingLabels').map((node) => ({
    labels: [...find(node, 'LabelName'), ...find(node, 'QuotedLabelName')].map((name) =>
      unquoted(of(name, text)),
    ),
    selectors: selectorsIn(enclosing(node), text),
  }));
  return {
    selectors,
    groupings,
    metrics: [...new Set(selectors.map(({ metric }) => metric))],
    labels: [
      ...new Set([
        ...selectors.flatMap(({ matchers }) => matchers.map(({ label }) => label)),
        ...groupings.flatMap(({ labels }) => labels),
      ]),
    ],
  };
}

function selectorsIn(root: Node, text: string): Selector[] {
  return find(root, 'VectorSelector').map((node) => {
    const name = node.getChild('Identifier');
    const matchers = [...find(node, 'UnquotedLabelMatcher'), ...find(node, 'QuotedLabelMatcher')].map(
      (matcher) => {
        const label = matcher.getChild('LabelName') ?? matcher.getChild('QuotedLabelName');
        return {
          label: unquoted(of(label, text)),
          operator: of(matcher.getChild('MatchOp'), text),
          value: unquoted(of(matcher.getChild('StringLiteral'), text)),
        };
      },
    );
    // The name may also be a quoted string alone, or a matcher of `__name__`.
    const quoted = node.getChild('LabelMatchers')?.getChild('QuotedLabelName');
    const named = matchers.find(({ label, operator }) => label === '__name__' && operator === '=')?.value;
    return {
      metric: name ? of(name, text) : quoted ? unquoted(of(quoted, text)) : (named ?? ''),
      matchers: matchers.filter(({ label }) => label !== '__name__'),
    };
  });
}

/** The aggregation or operation that a grouping belongs to. */
function enclosing(grouping: Node): Node {
  let node = grouping;
  while (node.parent && node.name !== 'AggregateExpr' && node.name !== 'BinaryExpr') node = node.parent;
  return node;
}

function* walk(node: Node): Generator<Node> {
  yield node;
  for (let child = node.firstChild; child; child = child.nextSibling) yield* walk(child);
}

const find = (root: Node, name: string): Node[] => [...walk(root)].filter((node) => node.name === name);

const of = (node: Node | null, text: string): string => (node ? text.slice(node.from, node.to) : '');

const unquoted = (text: string): string =>
  /^["'`]/.test(text) ? text.slice(1, -1).replace(text[0] === '`' ? /(?!)/ : /\\(.)/g, '$1') : text;
