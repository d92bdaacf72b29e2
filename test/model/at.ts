/** What has this number, which must be there. */
export function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new Error(`the run has no number ${index} of these`);
  return found;
}

/** Numbers of the entries that are wanted. */
export const which = <T>(
  list: readonly T[],
  wanted: (entry: T, index: number) => boolean = () => true,
): number[] => list.flatMap((entry, index) => (wanted(entry, index) ? index : []));
