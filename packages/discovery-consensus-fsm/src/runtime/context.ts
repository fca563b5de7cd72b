import type { ConsensusConfig } from '../config.js';
import type { ConsensusEvents } from '../events.js';
import type { Policy } from '../policy/thresholds.js';
import { POLICIES } from '../policy/thresholds.js';
import type {
  ConsensusClock,
  DirectoryStore,
  ListLeader,
  ListReader,
  PeerChannel,
  Sha256,
  Signer,
  RosterSource,
  Verifier,
} from '../ports.js';
import type { RaftPacketSink } from '../ports.js';
import type { DiscoveryMessage } from '../messages.js';
import type { AlarmCode } from '../refusals.js';
import { Committees, fixedRoster } from './committees.js';
import type { Tally } from './tally.js';
import { Timekeeper } from './timekeeper.js';

/** The ports of a `DiscoveryConsensus`. */
export interface ConsensusPorts {
  readonly list: ListReader;
  readonly writer: ListLeader;
  readonly channel: PeerChannel;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly store: DirectoryStore;
  readonly clock: ConsensusClock;
  readonly sha256: Sha256;
  /**
   * Resolves when all else that waits for its turn on this thread has had one (`setImmediate` on Node). What takes long is
   * cut into slices with one of these between them; without it, it is done at one go.
   */
  readonly yieldNow?: () => Promise<void>;
  /**
   * Memory for the bytes of a listing, zeroed. Left out: a new `Uint8Array`. On Node, shared memory spares a `VerifyPool` a
   * copy for each signature.
   */
  readonly allocate?: (bytes: number) => Uint8Array;
  /** How far the local log is applied; goes into votes. Default: the index of the list's view. */
  readonly appliedIndex?: () => number;
  /** Where packets of `onReceivedRaftPacket` go; without it they are refused. */
  readonly raft?: RaftPacketSink;
  /** Who the members are, when that may change. Default: those of the configuration, for ever. */
  readonly rosters?: RosterSource;
}

/** Emits an event; a listener that throws is counted. */
export type Emit = <Name extends keyof ConsensusEvents>(name: Name, ...args: Parameters<ConsensusEvents[Name]>) => void;

/** What the parts of the runtime share. */
export interface Context {
  readonly config: ConsensusConfig;
  /** All but the clock, which is read by way of `time`. */
  readonly ports: Omit<ConsensusPorts, 'clock'>;
  readonly time: Timekeeper;
  readonly policy: Policy;
  readonly self: string;
  /** Who decides which round; this node alone when it is standalone. */
  readonly committees: Committees;
  readonly tally: Tally;
  readonly emit: Emit;
}

/** Puts the parts of a context together. */
export function makeContext(config: ConsensusConfig, ports: ConsensusPorts, tally: Tally, emit: Emit): Context {
  const self = ports.signer.identity;
  const base = POLICIES[config.policy];
  const policy = config.entryShare === undefined ? base : { ...base, entryShare: config.entryShare };
  const rosters = config.standalone
    ? fixedRoster([{ identity: self }])
    : (ports.rosters ?? fixedRoster(config.members));
  const time = new Timekeeper(ports.clock);
  return {
    config,
    ports,
    time,
    policy,
    self,
    committees: new Committees({ self, policy, rosters, now: () => time.wallNow() }),
    tally,
    emit,
  };
}

/** Sends and counts. @returns whether the link took it */
export async function sendCounted(context: Context, peer: string, message: DiscoveryMessage): Promise<boolean> {
  context.tally.sent++;
  try {
    await context.ports.channel.send(peer, message);
    return true;
  } catch {
    context.tally.sendFailures++;
    return false;
  }
}

/** Counts an alarm and tells of it. */
export function raiseAlarm(context: Context, code: AlarmCode, detail: string): void {
  context.tally.alarms[code]++;
  context.emit('alarmRaised', { code, detail });
}

/** A short text for people of anything that was thrown. */
export function describeFailure(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 200);
}
