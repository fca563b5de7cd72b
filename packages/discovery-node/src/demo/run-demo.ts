import { seededRandom, type Logger } from '@discovery-raft/raft-core';
import { NodeError } from '../errors.js';
import { Demo, type DemoResult } from './demo.js';
import { InProcessNetwork } from './in-process-network.js';
import type { DemoNetwork } from './network.js';
import { planDay } from './plan.js';
import { ProcessNetwork } from './process-network.js';
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
  /** Length of a slot, 15, 20, 30 or 60 minutes; default 60. */
  readonly slotMinutes?: number;
  /** Decides who publishes where; default 1. */
  readonly seed?: number;
  /** How to start nodes as processes of their own. Left out: all nodes in this process, in memory. */
  readonly processes?: {
    /** How the command line of this package is started, the program first. */
    readonly command: readonly string[];
    /** Where keys, configuration and data go: a folder that does not exist yet, or is empty. */
    readonly folder: string;
  };
  readonly progress?: Progress;
  /** Of nodes in this process; others have a file each. */
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
  /** Bytes in the data directories of the nodes that ran at the end, per item of the last directory; null in memory. */
  readonly diskBytesPerItem: number | null;
}

/**
 * The main job: discovery nodes, thousands of real relays that publish themselves, rounds, the end of a leader, and a day
 * of churn; every directory is pulled and verified as a client would, and compared with what the publishers know.
 *
 * @throws NodeError NODE_INVALID_OPTION, NODE_DATA_UNREADABLE, NODE_DEMO_STALLED
 */
export async function runDemo(options: DemoOptions): Promise<DemoSummary> {
  const began = performance.now();
  const { nodes = 3, seed = 1, hours = 24, slotMinutes = 60, progress = silentProgress } = options;
  checkRange('nodes', nodes, 3, 11);
  checkRange('hours', hours, 1, 24);
  if (options.relays !== undefined) checkRange('relays', options.relays, 1, 1_000_000);
  const trace = await loadTrace(options.dataFolder, options.relays);
  if (60 % slotMinutes !== 0 || slotMinutes < 15) {
    throw new NodeError('NODE_INVALID_OPTION', `slotMinutes must be 15, 20, 30 or 60, not ${slotMinutes}`, {
      option: 'slotMinutes',
    });
  }
  const plan = planDay(trace, hours, slotMinutes * 60);
  const { startAt, slotSeconds } = plan;
  const { processes, logger } = options;
  const network: DemoNetwork =
    processes === undefined
      ? new InProcessNetwork({ nodes, seed, startAt, slotSeconds, ...(logger ? { logger } : {}) })
      : await ProcessNetwork.create({ nodes, startAt, slotSeconds, ...processes });
  try {
    const result = await new Demo(network, plan, progress, seededRandom(seed)).run();
    const { peakRssMb, wireBytes, diskBytes } = await network.usage();
    return {
      nodes,
      ...result,
      seconds: Math.round((performance.now() - began) / 100) / 10,
      peakRssMb,
      wireBytesPerItem: Math.round(wireBytes / result.published),
      diskBytesPerItem: diskBytes === null ? null : Math.round(diskBytes / result.items),
    };
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
