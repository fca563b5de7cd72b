const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Does some work, and cleans up at once when a signal ends this process before it is done; the process then ends by that
 * signal, as it would have.
 *
 * @param cleanUp has to do all that it does before it returns
 */
export async function cleanedUpOnSignal<T>(cleanUp: () => void, work: () => Promise<T>): Promise<T> {
  const release = (): void => {
    for (const signal of SIGNALS) process.off(signal, ended);
  };
  const ended = (signal: NodeJS.Signals): void => {
    release();
    cleanUp();
    process.kill(process.pid, signal);
  };
  for (const signal of SIGNALS) process.on(signal, ended);
  try {
    return await work();
  } finally {
    release();
  }
}
