import { crc32 } from 'node:zlib';
import {
  DiscoveryConsensus,
  listLeader,
  listReader,
  type ConsensusPorts,
  type DiscoveryMessage,
  type ListLeader,
} from '@discovery-raft/discovery-consensus-fsm';
import { Raft, RaftError, type Configuration } from '@discovery-raft/raft-core';
import { ListWriter, SharedList, type ListResult } from '@discovery-raft/raft-log-list';
import type { DiskSession, SimDisk } from '../../disk/sim-disk.js';
import { SimLogStore, SimSnapshotStore, SimStableStore } from '../../disk/stores.js';
import { addressOf, type SimNetwork } from '../../network/sim-network.js';
import type { Dice } from '../../scenario/dice.js';
import { ProcessClock } from '../../time/process-clock.js';
import type { VirtualClock } from '../../time/virtual-clock.js';
import { GRACE_SECONDS, secondsAt, SLOT_SECONDS, START_SECONDS, TOLERANCE_SECONDS, VOTE_SECONDS } from '../calendar.js';
import { Judge } from '../crypto/judge.js';
import { packedSha256, sha256, type Key, type Keyring } from '../crypto/keyring.js';
import { listSchema, VERSION } from '../crypto/packets.js';
import type { MessageNetwork } from '../network/message-network.js';
import type { SimRoots } from '../roots/sim-roots.js';
import type { DiscoveryScenario, NodePlan } from '../scenario.js';
import type { DirectoryDisk } from './directory-disk.js';

/** One run of a node's process: from a start to a crash. */
export interface DiscoveryProcess {
  readonly number: number;
  readonly clock: ProcessClock;
  readonly session: DiskSession;
  readonly directories: ReturnType<DirectoryDisk['open']>;
  readonly list: SharedList;
  readonly consensus: DiscoveryConsensus;
  /** Null until Raft has started. */
  raft: Raft<ListResult> | null;
}

/** What a node tells the simulation. */
export interface NodeHooks {
  /** The process was made; nothing of it runs yet. */
  made(node: DiscoverySimNode, process: DiscoveryProcess): void;
  started(node: DiscoverySimNode, process: DiscoveryProcess): void;
  failed(node: DiscoverySimNode, what: string): void;
  roleChanged(node: DiscoverySimNode): void;
}

/** What a liar puts between its node and the world. */
export interface Disguise {
  /** What leaves instead of a message; nothing for nothing. */
  outgoing(to: string, message: DiscoveryMessage): void;
  writer(real: ListLeader): ListLeader;
  /** It has signed this. */
  signed(content: Uint8Array): void;
}

/** What all nodes of a simulation share. */
export interface NodeWorld {
  readonly scenario: DiscoveryScenario;
  readonly clock: VirtualClock;
  readonly raftNetwork: SimNetwork;
  readonly network: MessageNetwork;
  readonly ring: Keyring;
  /** Raft's servers: all nodes of all roots. */
  readonly members: readonly string[];
  readonly roots: SimRoots;
  readonly hooks: NodeHooks;
}

/** A discovery node of the simulation: its disks last, its processes come and go. */
export class DiscoverySimNode {
  readonly id: string;
  readonly plan: NodePlan;
  readonly disk: SimDisk;
  readonly directoryDisk: DirectoryDisk;
  readonly key: Key;
  process: DiscoveryProcess | null = null;
  /** Its wall clock is so far ahead. */
  skewSeconds: number;
  disguise: Disguise | null = null;
  readonly #world: NodeWorld;
  readonly #dice: Dice;
  #incarnations = 0;

  constructor(parts: {
    id: string;
    plan: NodePlan;
    disk: SimDisk;
    directoryDisk: DirectoryDisk;
    dice: Dice;
    world: NodeWorld;
  }) {
    this.id = parts.id;
    this.plan = parts.plan;
    this.disk = parts.disk;
    this.directoryDisk = parts.directoryDisk;
    this.key = parts.world.ring.key(parts.id);
    this.skewSeconds = parts.plan.skewSeconds;
    this.#dice = parts.dice;
    this.#world = parts.world;
  }

  get honest(): boolean {
    return this.plan.lies === null;
  }

  /** The node's Raft, null while it does not run. */
  get raft(): Raft<ListResult> | null {
    return this.process?.raft ?? null;
  }

  get leads(): boolean {
    return this.raft?.state === 'leader';
  }

  /** Unix seconds by this machine's clock. */
  wallNow(): number {
    return secondsAt(this.#world.clock.now) + this.skewSeconds;
  }

  /** Sets this machine's clock. Nobody tells the process. */
  setClock(skewSeconds: number): void {
    this.skewSeconds = skewSeconds;
  }

  /** Starts a process from what the disks hold. */
  start(): void {
    if (this.process !== null) return;
    const { clock: world, hooks } = this.#world;
    const skew = { rate: 1, offsetMs: 0, wallStartMs: START_SECONDS * 1000 };
    const clock = new ProcessClock(world, skew, () => undefined);
    const list = new SharedList({ schema: listSchema, sha256: packedSha256, crc32 });
    const process: DiscoveryProcess = {
      number: ++this.#incarnations,
      clock,
      session: this.disk.open(clock),
      directories: this.directoryDisk.open(clock),
      list,
      consensus: this.#consensus(clock, list),
      raft: null,
    };
    this.process = process;
    hooks.made(this, process);
    this.#run(process).catch((error: unknown) => {
      if (this.process === process) hooks.failed(this, `start: ${String(error)}`);
    });
  }

  async #run(process: DiscoveryProcess): Promise<void> {
    const { raftNetwork, scenario, hooks } = this.#world;
    const { clock, session, list, consensus } = process;
    const raft = await Raft.create<ListResult>({
      id: this.id,
      address: addressOf(this.id),
      transport: raftNetwork.connect(this.id, clock),
      logStore: new SimLogStore(session),
      stableStore: new SimStableStore(session),
      snapshotStore: new SimSnapshotStore(session, this.#dice.fork()),
      stateMachine: list,
      clock,
      random: this.#dice.fork(),
      config: scenario.raft,
    });
    if (this.process !== process) return;
    process.raft = raft;
    const tell = (): void => {
      consensus.raftStateChanged({ state: raft.state, leaderId: raft.leader?.id ?? null, term: raft.term });
      hooks.roleChanged(this);
    };
    raft.on('stateChange', tell);
    raft.on('leaderChange', tell);
    raft.on('shutdown', ({ error }) => {
      if (error !== null) hooks.failed(this, `raft stopped: ${error.message}`);
    });
    await consensus.start();
    if (this.process !== process) return;
    tell();
    hooks.started(this, process);
    try {
      await raft.bootstrap(configurationOf(this.#world.members));
    } catch (error) {
      if (!(error instanceof RaftError) || error.code !== 'RAFT_ALREADY_BOOTSTRAPPED') throw error;
    }
  }

  #consensus(clock: ProcessClock, list: SharedList): DiscoveryConsensus {
    const { scenario, members } = this.#world;
    return new DiscoveryConsensus(
      {
        members: members.map((identity) => ({ identity })),
        policy: scenario.policy,
        genesisSeconds: START_SECONDS,
        slotSeconds: SLOT_SECONDS,
        clockToleranceSeconds: TOLERANCE_SECONDS,
        voteSeconds: VOTE_SECONDS,
        stragglerSeconds: 0.3,
        ownEntryGraceSeconds: GRACE_SECONDS,
        resendSeconds: 1,
        enhanceSeconds: SLOT_SECONDS / 5,
        confirmSeconds: 8,
        maxLifetimeSeconds: 10 * SLOT_SECONDS,
        protocolVersion: VERSION,
        shortListingBytes: scenario.shortListingBytes,
        recordsPerSlice: scenario.recordsPerSlice,
        sourcePublishesPerSecond: 10,
        sourcePublishBurst: 30,
      },
      this.#ports(clock, list),
    );
  }

  #ports(clock: ProcessClock, list: SharedList): ConsensusPorts {
    const { ring, scenario, network, roots } = this.#world;
    const raft = (): Raft<ListResult> => this.raft!;
    const writer = new ListWriter({
      list,
      clock,
      attestationThreshold: () => this.process!.consensus.committee.attestationsNeeded,
      attesters: () => this.process!.consensus.committee.members.size,
      propose: (data) => raft().apply(data),
    });
    const real = listLeader(writer, () => raft().barrier());
    const { disguise } = this;
    const slow = scenario.verifyMs;
    const pause = (): Promise<void> =>
      new Promise((resolve) => clock.setTimer(this.#dice.exponential(slow), () => resolve()));
    return {
      list: listReader(list, { incompleteUntil: () => raft().incompleteUntil }),
      writer: disguise === null ? real : disguise.writer(real),
      channel: {
        send: async (to, message) => {
          if (disguise !== null) disguise.outgoing(to, message);
          else if (!network.send(this.id, to, message)) throw new Error(`${to} cannot be reached`);
        },
        isAuthenticated: (peer) => network.stands(this.id, peer),
      },
      signer: {
        identity: this.id,
        sign: async (bytes) => {
          disguise?.signed(bytes);
          return this.key.sign(bytes);
        },
      },
      rosters: roots.sourceOf(this.id),
      verifier: new Judge(ring, slow > 0 ? pause : undefined),
      store: {
        load: () => this.process!.directories.load(),
        saveDirectory: (directory) => this.process!.directories.saveDirectory(directory),
        recordSigned: (signed) => this.process!.directories.recordSigned(signed),
        recordPromise: (promise) => this.process!.directories.recordPromise(promise),
      },
      clock: {
        now: () => clock.now(),
        wallNow: () => this.wallNow() * 1000,
        setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
      },
      sha256,
      yieldNow: () => new Promise((resolve) => clock.setTimer(0, () => resolve())),
      appliedIndex: () => this.raft?.appliedIndex ?? 0,
    };
  }

  /** Kills the process: what it had under way on its disks may have happened, its promises never settle. */
  kill(): void {
    const { process } = this;
    if (process === null) return;
    this.process = null;
    process.clock.kill();
    process.session.crash();
    process.directories.crash();
  }
}

function configurationOf(members: readonly string[]): Configuration {
  return { servers: members.map((id) => ({ id, address: addressOf(id), suffrage: 'voter' })) };
}
