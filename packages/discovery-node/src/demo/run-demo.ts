import { seededRandom, type Logger } from '@discovery-raft/raft-core';
import { NodeError } from '../errors.js';
import { Demo, type DemoResult } from './demo.js';
import { InProcessNetwork } from './in-process-network.js';
import { planDay } from './plan.js';
import { silentProgress, type Progress } from './progress.js';
import { loadTrace } from './relays.js';

/** What to demonstrate. */
export interface DemoOptions {
  /** Folder with the relays and their churn. */
  readonly dataFolder: string;
  /** Discovery nodes, 3 to 11; default 3. */
  readonly nodes?: number;
  /** Only the first so many relays; default all. */
  readonly relays?: number;
  /** Hours of churn to replay, 1 to 24; default 24. */
  readonly hours?: number;
  /** Decides who publishes where; default 1. */
  readonly seed?: number;
  readonly progress?: Progress;
  readonly logger?: Logger;
}

/** What came of it. */
export interface DemoSummary extends DemoResult {
  readonly nodes: number;
  readonly seconds: number;
  /** The largest resident set of any process, MiB. */
  readonly peakRssMb: number;
  /** Bytes that nodes received and sent over all links and clients, per item that was published. */
  readonly wireBytesPerItem: number;
}

/**
 * The main job: discovery nodes, thousands of real relays that publish themselves, rounds, the end of a leader, and a day
 * of churn; every directory is pulled and verified as a client would, and compared with what the publishers know.
 *
 * @throws NodeError NODE_INVALID_OPTION, NODE_DATA_UNREADABLE, NODE_DEMO_STALLED
 */
export async function runDemo(options: DemoOptions): Promise<DemoSummary> {
  const began = performance.now();
  const { nodes = 3, seed = 1, hours = 24, progress = silentProgress } = options;
  checkRange('nodes', nodes, 3, 11);
  checkRange('hours', hours, 1, 24);
  if (options.relays !== undefined) checkRange('relays', options.relays, 1, 1_000_000);
  const trace = await loadTrace(options.dataFolder, options.relays);
  const plan = planDay(trace, hours);
  const { startAt } = plan;
  const network = new InProcessNetwork({ nodes, seed, startAt, ...(options.logger ? { logger: options.logger } : {}) });
  try {
    const result = await new Demo(network, plan, progress, seededRandom(seed)).run();
    const { peakRssMb, wireBytes } = await network.usage();
    const seconds = Math.round((performance.now() - began) / 100) / 10;
    return { nodes, ...result, seconds, peakRssMb, wireBytesPerItem: Math.round(wireBytes / result.published) };
  } finally {
    progress.end();
    await network.stop();
  }
}

function checkRange(option: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw new NodeError(
    'NODE_INVALID_OPTION',
    `${option} must be a whole number from ${least} to ${most}, not ${value}`,
    { option },
  );
}
