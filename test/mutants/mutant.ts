/** One fault, and the test files that must notice it, each by itself. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  /** Exactly one place of the file. */
  readonly text: string;
  readonly replacement: string;
  readonly killedBy: readonly string[];
}
