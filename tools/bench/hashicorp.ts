import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { BenchContext } from './bench.js';

/** The environment variable that names the Go program; see README.md for how to build it. */
export const HASHICORP_BENCH = 'HASHICORP_BENCH';

/** What the Go program measures; each field is a flag of its. */
export interface HashicorpThroughput {
  readonly scenario: 'throughput';
  /** `inmem`: in memory; `tcp`: over loopback; `bolt`: over loopback with a database on disk. */
  readonly mode: 'inmem' | 'tcp' | 'bolt';
  /** Voters. */
  readonly n: number;
  /** Bytes of an entry. */
  readonly size: number;
  /** Applies in flight. */
  readonly conc: number;
}

/** From killing the leader to the first apply that a new one accepts; every repeat is one kill. */
export interface HashicorpFailover {
  readonly scenario: 'failover';
  readonly mode: 'inmem' | 'tcp' | 'bolt';
  readonly n: number;
  /** Timeouts of 150 ms in place of the library's default. */
  readonly tuned: boolean;
}

/** A follower that was cut off catches up, or what entries cost in memory. */
export interface HashicorpBacklog {
  readonly scenario: 'catchup' | 'memory';
  readonly mode: 'inmem';
  readonly n: number;
  /** Bytes of an entry. */
  readonly size: number;
  readonly entries: number;
}

/** One line of the Go program's output: settings and measurements by name. */
export type HashicorpResult = Readonly<Record<string, unknown>>;

let told = false;

/**
 * Runs the hashicorp/raft baseline and returns its result, or `undefined` when nobody said where the program is. That
 * is said once on standard error; a program that is there and fails is an error.
 */
export async function hashicorp(
  options: HashicorpThroughput | HashicorpFailover | HashicorpBacklog,
  { effort, progress }: BenchContext,
): Promise<HashicorpResult | undefined> {
  const program = process.env[HASHICORP_BENCH];
  if (!program) {
    if (!told) {
      progress(
        `${HASHICORP_BENCH} is not set: no baseline of hashicorp/raft. Build it with \`../shared/bench/build OUT_DIR\` ` +
          `and set ${HASHICORP_BENCH}=OUT_DIR/hashicorp-bench; see tools/bench/README.md.`,
      );
    }
    told = true;
    return undefined;
  }
  const settings: Record<string, string | number | boolean> = { ...options, repeats: effort.repeats };
  if (options.scenario === 'throughput') settings['secs'] = effort.seconds;
  const flags = Object.entries(settings).map(([name, value]) => `-${name}=${value}`);
  progress(`${HASHICORP_BENCH} ${flags.join(' ')}`);
  const { stdout } = await promisify(execFile)(program, flags, { maxBuffer: 1 << 24 });
  // With several repeats the last line holds the medians, with one it is the only line.
  const last = stdout.trim().split('\n').at(-1) ?? '';
  return JSON.parse(last) as HashicorpResult;
}
