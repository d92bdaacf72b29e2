/**
 * Waits for work for at most `ms` milliseconds. Work that takes longer goes on, and its failure is ignored.
 * @returns the result of the work, or undefined after `ms` milliseconds
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
