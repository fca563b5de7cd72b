import type { Logger } from '@discovery-raft/raft-core';
import { pino } from 'pino';
import { humanLine } from './human-line.js';
import { plain } from './plain.js';

/** Where lines go, such as standard error. */
export interface LogOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/** Options of {@link createLogger}. */
export interface LoggerOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** `auto`: for people on a terminal, else JSON. */
  readonly format: 'auto' | 'human' | 'json';
  readonly output: LogOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** In every line. */
  readonly base?: Readonly<Record<string, string>>;
}

/** A logger on pino: one line a message, never key material. Colours only on a terminal, and not with NO_COLOR. */
export function createLogger(options: LoggerOptions): Logger {
  const { level, format, output, env, base = {} } = options;
  const terminal = output.isTTY === true;
  const human = format === 'human' || (format === 'auto' && terminal);
  const colours = terminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  const stream = human ? { write: (line: string) => void output.write(humanLine(line, colours)) } : output;
  const log = pino(
    {
      level,
      base,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'message',
    },
    { write: (line: string) => void stream.write(line) },
  );
  const at =
    (name: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, data?: Readonly<Record<string, unknown>>): void => {
      // What is not written need not be made plain.
      if (!log.isLevelEnabled(name)) return;
      if (data === undefined) log[name](message);
      else log[name]({ data: plain(data) }, message);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
