import { EXIT } from './exit-codes.js';

/** An end of a program that text goes out at. */
interface Output {
  write(text: string): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** The process that a program runs in, as far as its output matters. */
export interface OutputHost {
  readonly stdout: Output;
  readonly stderr: Output;
  exitCode?: number | string | null | undefined;
  on(event: 'exit', listener: () => void): unknown;
}

/**
 * Has a program outlive its output. A reader that leaves, as `head` does, changes nothing: what was begun goes on, and the exit
 * code tells how it ended. So does a daemon whose log nobody reads any more. A result that could not be written, because a disk
 * is full, is a failure.
 */
export function mindOutput(host: OutputHost): void {
  let failed = false;
  host.stderr.on('error', () => undefined);
  host.stdout.on('error', (error) => {
    if (failed || ('code' in error && error.code === 'EPIPE')) return;
    failed = true;
    host.stderr.write(`standard output cannot be written: ${error.message}\n`);
  });
  // Later than the command, which sets its own code.
  host.on('exit', () => {
    if (failed) host.exitCode = EXIT.failed;
  });
}
