const BOLD = '\x1b[1m';
const RESET = '\x1b[0m';

/** Rows with aligned columns, two spaces apart; the last column is not padded. */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  options: { readonly colours?: boolean; readonly rightAligned?: readonly number[] } = {},
): string {
  const widths = headings.map((heading, i) => Math.max(heading.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const right = new Set(options.rightAligned);
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (right.has(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  const head = line(headings);
  return [options.colours === true ? `${BOLD}${head}${RESET}` : head, ...rows.map(line)].join('\n') + '\n';
}

/** Facts, one a line, names aligned. */
export function formatFacts(facts: readonly (readonly [string, string])[]): string {
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd()).join('\n') + '\n';
}

/** A span of time for people: `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`. */
export function formatSpan(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}

/** Bytes for people: `812 B`, `3.4 KiB`, `12 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'] as const;
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** The beginning and the end of an identity, which has up to 255 characters: enough to tell nodes apart. */
export function shortIdentity(identity: string): string {
  return identity.length <= 34 ? identity : `${identity.slice(0, 22)}…${identity.slice(-10)}`;
}

/** Unix seconds as a date. */
export function formatTime(unixSeconds: number): string {
  return new Date(unixSeconds * 1000).toISOString().replace('.000Z', 'Z');
}

/** `no item`, `1 item`, `2 items`. */
export function count(n: number, what: string): string {
  return n === 0 ? `no ${what}` : `${n} ${what}${n === 1 ? '' : 's'}`;
}
