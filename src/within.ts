/**
 * Waits for work to end, and no longer than that. What takes longer goes on, and nobody hears of its failure.
 * @returns what the work came to, or undefined after `ms` milliseconds
 */
export async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
