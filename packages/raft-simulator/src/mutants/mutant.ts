/** One change of a file of raft-core. */
export interface Edit {
  /** Path in raft-core's `src` and `dist`, without the ending. */
  readonly file: string;
  /** Stands there exactly once, in the source as in what is built from it: no types, one line. */
  readonly find: string;
  readonly replace: string;
}

/** A bug that somebody could have written. */
export interface Mutant {
  readonly name: string;
  /** The rule that it breaks, with its number in RAFT.md, section 4. */
  readonly rule: string;
  readonly edits: readonly Edit[];
}

/**
 * Applies an edit.
 *
 * @throws Error when the anchor is not there exactly once: the code has changed, and the mutant must follow
 */
export function applyEdit(text: string, { file, find, replace }: Edit): string {
  const parts = text.split(find);
  if (parts.length !== 2) throw new Error(`${file}: ${parts.length - 1} places match ${JSON.stringify(find)}, not 1`);
  return parts.join(replace);
}
