import { monitorEventLoopDelay } from 'node:perf_hooks';

/** What some work took. */
export interface Measured<T> {
  readonly result: T;
  /** CPU of the whole process, all its threads, milliseconds. */
  readonly cpuMs: number;
  /** The longest time for which the event loop did not come round, milliseconds; other processes' work is in it. */
  readonly longestBlockMs: number;
}

const RESOLUTION_MS = 1;

/** Measures work of which parts may run on other threads. */
export async function measured<T>(work: () => Promise<T>): Promise<Measured<T>> {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  // The histogram counts from its first tick on.
  await new Promise((resolve) => setTimeout(resolve, 5 * RESOLUTION_MS));
  delay.reset();
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  await new Promise((resolve) => setTimeout(resolve, 5 * RESOLUTION_MS));
  delay.disable();
  return { result, cpuMs: (user + system) / 1000, longestBlockMs: Math.max(0, delay.max / 1e6 - RESOLUTION_MS) };
}
