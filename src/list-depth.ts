/** The first objects of a list. They can be paged to, and a list that has no more is counted exactly. */
export const LIST_DEPTH = 10_000;
