/** One thing that is wrong with a configuration, and what to do about it. */
export interface ConfigProblem {
  /** Names from the root, with indices; empty for the file as a whole. */
  readonly path: readonly (string | number)[];
  /** What is wrong. */
  readonly message: string;
  /** What to do. */
  readonly advice: string;
  /** Where the value came from: the file with line and column, a variable or a flag. */
  readonly source: string;
}

/** `listen.port`, `members[2].host`; `(file)` for the root. */
export function formatPath(path: readonly (string | number)[]): string {
  if (path.length === 0) return '(file)';
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}

/** The problems for people: two lines each. */
export function formatProblems(problems: readonly ConfigProblem[]): string {
  return problems
    .map(
      ({ path, message, advice, source }) =>
        `${source}: ${path.length === 0 ? '' : `${formatPath(path)} `}${message}\n    ${advice}\n`,
    )
    .join('');
}

/** The name of `names` that was most likely meant, if one is close. */
export function closest(name: string, names: readonly string[]): string | undefined {
  const longer = names.filter((candidate) => candidate.startsWith(name));
  if (longer.length === 1) return longer[0];
  const most = Math.min(3, Math.max(1, Math.floor(name.length / 2)));
  let best: string | undefined;
  let least = most + 1;
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Insertions, deletions and replacements from one text to the other. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
