import type { Logger } from '@discovery-raft/raft-core';
import { NodeProcess, type NodeProcessOptions, type ProcessEnd } from './node-process.js';

/** The signals that stop a node, and the numbers that go into the exit code when the second one ends it at once. */
const STOP_SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;

/** Exit code of a process that a bug ended: it failed. */
const EXIT_CRASHED = 3;

/** The process that a daemon runs in. */
export interface HostProcess {
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  off(event: string, listener: (...args: unknown[]) => void): unknown;
  exit(code: number): void;
}

/**
 * Runs a node until it stops: by SIGTERM, SIGINT or the admin socket gracefully, by a second signal at once (exit code 128
 * and the signal's number), or because it failed.
 *
 * @throws what starting throws
 */
export async function runDaemon(options: NodeProcessOptions, host: HostProcess): Promise<ProcessEnd> {
  const { logger } = options;
  const controls = signalControls(logger, host);
  try {
    const node = await NodeProcess.start(options);
    controls.whenAsked(() => void node.stop());
    return await node.ended;
  } finally {
    controls.release();
  }
}

interface Controls {
  /** Sets what the first signal does; one that came before takes effect now. */
  whenAsked(stop: () => void): void;
  release(): void;
}

function signalControls(logger: Logger, host: HostProcess): Controls {
  let asked = 0;
  let stop: (() => void) | null = null;
  const listeners = Object.entries(STOP_SIGNALS).map(([signal, number]) => {
    const listener = (): void => {
      asked++;
      if (asked === 1) {
        logger.info('asked to stop; once more ends it at once', { signal });
        stop?.();
      } else {
        logger.warn('ended at once', { signal });
        host.exit(128 + number);
      }
    };
    host.on(signal, listener);
    return [signal, listener] as const;
  });
  const crashed = (error: unknown): void => {
    logger.error('a bug ended the process', { error });
    host.exit(EXIT_CRASHED);
  };
  host.on('uncaughtException', crashed);
  return {
    whenAsked(given) {
      stop = given;
      if (asked > 0) given();
    },
    release() {
      host.off('uncaughtException', crashed);
      for (const [signal, listener] of listeners) host.off(signal, listener);
    },
  };
}
