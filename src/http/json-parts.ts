/** Characters that are gathered before they are sent. A failure that comes earlier is an ordinary refusal. */
const GATHERED = 16_384;

/** The elements of an array, page by page, without its brackets. @returns how many there were */
export async function* elements<T>(
  pages: AsyncIterable<readonly T[]>,
  view: (element: T) => unknown,
): AsyncGenerator<string, number> {
  let count = 0;
  for await (const page of pages) {
    if (page.length === 0) continue;
    yield (count === 0 ? '' : ',') + page.map((element) => JSON.stringify(view(element))).join(',');
    count += page.length;
  }
  return count;
}

/** Gathers small parts. A part of one blank, which only shows that the work goes on, lets everything go. */
export async function* gathered(parts: AsyncIterable<string>): AsyncGenerator<string, void> {
  let waiting = '';
  for await (const part of parts) {
    waiting += part;
    if (waiting.length < GATHERED && part !== ' ') continue;
    yield waiting;
    waiting = '';
  }
  yield waiting;
}
