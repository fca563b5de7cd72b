import type { Bench, Measurement } from './bench.js';

/** One result as it is printed: `ratio` is value over baseline; both are null when nothing was measured beside it. */
export interface ResultLine {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly baseline: number | null;
  readonly ratio: number | null;
}

/** Rounds to four significant digits: more would claim more than a benchmark knows. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

/** A measurement under its benchmark's name. */
export function resultLine({ name, unit }: Bench, { value, baseline }: Measurement): ResultLine {
  if (!Number.isFinite(value)) throw new RangeError(`${name} measured ${value}`);
  const beside = baseline === undefined ? null : rounded(baseline);
  const ratio = baseline === undefined || baseline === 0 ? null : rounded(value / baseline);
  return { name, value: rounded(value), unit, baseline: beside, ratio };
}

const grouped = new Intl.NumberFormat('en', { maximumSignificantDigits: 4 });

function shown(value: number | null): string {
  return value === null ? '–' : grouped.format(value);
}

/** The results as an aligned table with a heading. */
export function table(lines: readonly ResultLine[]): string {
  const rows = [
    ['name', 'value', 'unit', 'baseline', 'ratio'],
    ...lines.map((line) => [line.name, shown(line.value), line.unit, shown(line.baseline), shown(line.ratio)]),
  ];
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const widths = [0, 1, 2, 3, 4].map(width);
  const leftAligned = new Set([0, 2]);
  const cell = (text: string, column: number): string =>
    leftAligned.has(column) ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n');
}
