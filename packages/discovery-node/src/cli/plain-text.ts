/**
 * Characters that a terminal acts on, or that turn the direction of what follows; a line's end is not among them. They are
 * given by their numbers, since nobody can read them.
 */
const ACTING = new RegExp(
  `[${range(0x00, 0x09)}${range(0x0b, 0x1f)}${range(0x7f, 0x9f)}${range(0x200e, 0x200f)}${range(0x202a, 0x202e)}${range(0x2066, 0x2069)}]`,
  'g',
);

/**
 * A text as it may be shown on a terminal: others wrote some of it, a node that lies or a damaged file, and what acts on a
 * terminal is written out, as `\u001b`.
 */
export function plainText(text: string): string {
  return text.replace(ACTING, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** {@link plainText} in one line. */
export function plainLine(text: string): string {
  return plainText(text).replaceAll('\n', '\\n');
}

/** How many causes are looked at; an error may be its own. */
const MAX_CAUSES = 5;

/** An error for people: what failed, and below it each reason that says more. */
export function errorText(error: unknown): string {
  const lines: string[] = [];
  let at = error;
  for (let depth = 0; depth <= MAX_CAUSES && at !== undefined; depth++, at = causeOf(at)) {
    const text = messageOf(at);
    if (text === '' || lines.some((line) => line.includes(text))) continue;
    lines.push(lines.length === 0 ? plainText(text) : `  because: ${plainLine(text)}`);
  }
  return lines.join('\n');
}

interface ErrorLike {
  readonly message?: string;
  readonly code?: string;
  readonly cause?: unknown;
}

/** By shape, not by class: errors of Node's own can come from another realm. */
function errorLike(error: unknown): ErrorLike {
  return typeof error === 'object' && error !== null ? error : { message: String(error) };
}

function messageOf(error: unknown): string {
  const { message = '', code = '' } = errorLike(error);
  // Of several attempts to connect, Node tells the code alone.
  return message === '' ? code : message;
}

function causeOf(error: unknown): unknown {
  return errorLike(error).cause;
}

function range(first: number, last: number): string {
  const escape = (code: number): string => `\\u${code.toString(16).padStart(4, '0')}`;
  return `${escape(first)}-${escape(last)}`;
}
