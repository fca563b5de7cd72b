const COLOURS: Readonly<Record<string, string>> = {
  debug: '\x1b[90m',
  info: '\x1b[36m',
  warn: '\x1b[33m',
  error: '\x1b[31m',
};
const DIM = '\x1b[2m';
const RESET = '\x1b[0m';

interface Line {
  readonly time: string;
  readonly level: string;
  readonly message: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** A line of JSON of the logger, as people read it: time, level, message, then what varies as `name=value`. */
export function humanLine(json: string, colours: boolean): string {
  const { time, level, message, data = {} } = JSON.parse(json) as Line;
  const paint = (colour: string, text: string): string => (colours && text !== '' ? `${colour}${text}${RESET}` : text);
  const clock = time.slice(11, 23);
  const facts = Object.entries(data)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${shown(value)}`)
    .join(' ');
  const parts = [paint(DIM, clock), paint(COLOURS[level] ?? '', level.padEnd(5)), message, paint(DIM, facts)];
  return `${parts.filter((part) => part !== '').join(' ')}\n`;
}

function shown(value: unknown): string {
  if (isError(value)) return `"${value.message}"`;
  if (typeof value === 'string') return /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value);
}

function isError(value: unknown): value is { readonly message: string } {
  return typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string';
}
