import type { ConfigurationAt } from '../../src/core/configuration.js';
import { RaftCore } from '../../src/core/core.js';
import type { Effect } from '../../src/core/effects.js';
import type { HardStateValue, Input } from '../../src/core/inputs.js';
import type { RaftConfig } from '../../src/core/options.js';
import { TermRuns } from '../../src/core/term-runs.js';
import {
  EntryType,
  type InstallSnapshotRequest,
  type LogEntry,
  type RpcRequest,
  type RpcResponse,
  type ServerId,
  type SnapshotMeta,
} from '../../src/index.js';
import { describeEntry, describeObservation, describeWrite } from './describe.js';

type Persist = Extract<Effect, { readonly type: 'persist' }>;

/** What a node hands to the network. */
export type Outgoing =
  | { readonly kind: 'request'; readonly rpcId: number; readonly body: RpcRequest; readonly snapshotEpoch?: number }
  | { readonly kind: 'response'; readonly rpcId: number; readonly body: RpcResponse }
  | { readonly kind: 'refusal'; readonly rpcId: number; readonly body: string };

/** A message under way. */
export type Message = Outgoing & {
  readonly from: ServerId;
  readonly to: ServerId;
  /** Which life of the requesting node the request belongs to: a restart forgets what it asked. */
  readonly life: number;
};

/** What surrounds a node: the clock, the network, and the record. */
export interface Surroundings {
  now(): number;
  send(message: Message): void;
  /** Every entry that is applied, for the safety check. */
  applied(id: ServerId, entry: LogEntry): void;
  tell(line: string): void;
  /** Like `tell`, only at log level debug. */
  detail(line: string): void;
}

/** How a node starts. */
export interface NodeOptions {
  readonly id: ServerId;
  readonly configuration: ConfigurationAt;
  readonly config: RaftConfig;
  readonly log: readonly LogEntry[];
  /** The term on the disk; 0 for an empty disk. */
  readonly term: number;
  readonly asyncWrites: boolean;
}

/** A peer's request that this node has to answer. */
interface Asked {
  readonly from: ServerId;
  readonly rpcId: number;
  readonly life: number;
}

/** One core with its disk, driven by a script instead of a runtime. */
export class ScenarioNode {
  readonly id: ServerId;
  core!: RaftCore;
  /** Whether writes wait for `persist`. */
  asyncWrites: boolean;
  /** Writes under way, oldest first. */
  writes: Persist[] = [];
  /** The log as the disk holds it. */
  stored: LogEntry[];
  hardState: HardStateValue | null = null;
  snapshot: SnapshotMeta | null = null;
  /** Requests without an answer. */
  readonly open = new Map<
    number,
    { readonly to: ServerId; readonly snapshotEpoch?: number; readonly index?: number }
  >();
  applied = 0;
  life = 0;
  /** Terms of entries that were compacted away. */
  readonly #compactedTerms = new Map<number, number>();
  readonly #options: NodeOptions;
  readonly #around: Surroundings;
  readonly #asked = new Map<number, Asked>();
  #requestIds = 0;
  #snapshotRpcIds = 0;
  #queue: Input[] = [];
  #stepping = false;

  constructor(options: NodeOptions, around: Surroundings) {
    this.id = options.id;
    this.#options = options;
    this.#around = around;
    this.asyncWrites = options.asyncWrites;
    this.stored = [...options.log];
    if (options.term > 0) this.hardState = { term: options.term, votedFor: null };
    this.start();
  }

  /** Starts, or starts again, from what the disk holds. */
  start(): void {
    const base = this.snapshot ?? { index: 0, term: 0 };
    const compacted = (this.stored[0]?.index ?? base.index + 1) - 1;
    const terms = new TermRuns(compacted, compacted === base.index ? base.term : this.#termBefore(compacted));
    for (const { term } of this.stored) terms.push(term);
    const { configuration } = this.#options;
    this.core = new RaftCore({
      id: this.id,
      address: `address-of-${this.id}`,
      config: this.#options.config,
      hardState: this.hardState,
      terms,
      configurations: [this.snapshot ? snapshotConfiguration(this.snapshot) : configuration],
      snapshotIndex: base.index,
    });
    this.life++;
    this.writes = [];
    this.open.clear();
    this.#asked.clear();
    this.applied = base.index;
    this.core.start(this.#around.now(), this.#random);
  }

  /** Fixed for each node, so that timeouts differ: 0 for node 1, 0.1 for node 2, … */
  get #random(): number {
    return ((Number(this.id) - 1) / 10) % 1;
  }

  #termBefore(index: number): number {
    return this.#compactedTerms.get(index) ?? 0;
  }

  /** Feeds one input and carries out what it leads to. */
  step(input: Input): void {
    this.#queue.push(input);
    if (this.#stepping) return;
    this.#stepping = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      this.#carryOut(this.core.step(this.#around.now(), this.#random, next));
    }
    this.#stepping = false;
  }

  /** A message arrives. */
  receive(message: Message): void {
    if (message.kind === 'request') {
      const requestId = ++this.#requestIds;
      this.#asked.set(requestId, { from: message.from, rpcId: message.rpcId, life: message.life });
      this.step({ type: 'request', requestId, request: message.body });
      return;
    }
    const asked = this.open.get(message.rpcId);
    if (message.life !== this.life || asked === undefined) return;
    this.open.delete(message.rpcId);
    if (asked.snapshotEpoch !== undefined) {
      this.#snapshotAnswered(message.from, asked.snapshotEpoch, asked.index ?? 0, message);
    } else if (message.kind === 'response') {
      this.step({ type: 'response', rpcId: message.rpcId, peerId: message.from, response: message.body });
    } else {
      this.step({ type: 'rpcFailed', rpcId: message.rpcId, peerId: message.from });
    }
  }

  /** Every request to `peer` that has no answer fails. Returns how many did. */
  failRequests(peer: ServerId): number {
    const failed = [...this.open].filter(([, { to }]) => to === peer);
    for (const [rpcId, { snapshotEpoch }] of failed) {
      this.open.delete(rpcId);
      if (snapshotEpoch === undefined) this.step({ type: 'rpcFailed', rpcId, peerId: peer });
      else this.step({ type: 'snapshotSendFailed', peerId: peer, epoch: snapshotEpoch });
    }
    return failed.length;
  }

  #snapshotAnswered(peerId: ServerId, epoch: number, index: number, message: Message): void {
    if (message.kind !== 'response') return this.step({ type: 'snapshotSendFailed', peerId, epoch });
    this.step({ type: 'snapshotProgress', peerId, epoch, response: message.body });
    const stored = message.body.kind === 'installSnapshotResponse' && message.body.success;
    if (stored) this.step({ type: 'snapshotSent', peerId, epoch, index });
    else this.step({ type: 'snapshotSendFailed', peerId, epoch });
  }

  /** Completes writes under way, oldest first. */
  persist(count = Infinity): void {
    const done = this.writes.splice(0, count);
    for (const write of done) {
      this.#store(write);
      this.#carryOut(write.then);
    }
    const last = done.at(-1);
    if (last === undefined) return;
    this.step({ type: 'persisted', seq: last.seq, logEpoch: last.logEpoch, lastIndex: last.lastIndex });
  }

  failWrite(): void {
    this.writes = [];
    this.step({ type: 'persistFailed' });
  }

  /** Takes a snapshot of what is applied, up to `index`; the log before it may go. */
  compact(index: number): void {
    if (index > this.applied) throw new Error(`node ${this.id} has applied ${this.applied} only`);
    const term = this.core.termAt(index);
    if (term === undefined) throw new Error(`node ${this.id} has no entry ${index}`);
    const at = this.core.configurationAt(index);
    const { configuration, index: configurationIndex } = at;
    this.snapshot = { id: `${term}-${index}`, version: 1, index, term, configuration, configurationIndex, size: 1 };
    this.step({ type: 'snapshotTaken', meta: this.snapshot });
  }

  #carryOut(effects: readonly Effect[]): void {
    for (const effect of effects) this.#carryOutOne(effect);
  }

  #carryOutOne(effect: Effect): void {
    const { tell } = this.#around;
    const say = (text: string): void => tell(`${this.id} ${text}`);
    switch (effect.type) {
      case 'persist':
        return this.#write(effect);
      case 'send':
        return this.#send(effect.to.id, { kind: 'request', rpcId: effect.rpcId, body: effect.request });
      case 'reply':
        return this.#answer(effect.requestId, (rpcId) => ({ kind: 'response', rpcId, body: effect.response }));
      case 'refuseRequest':
        return this.#answer(effect.requestId, (rpcId) => ({ kind: 'refusal', rpcId, body: effect.failure.code }));
      case 'commit':
        return this.#apply(effect.index);
      case 'proposed':
        return say(`appends ${effect.ids.length} at ${effect.term}/${effect.firstIndex}`);
      case 'refuseProposals':
        return say(`refuses ${effect.ids.length}: ${effect.failure.code} (${effect.outcome})`);
      case 'readLog':
        return this.#readLog(effect.peerId, effect.epoch, effect.from, effect.to);
      case 'sendSnapshot':
        return this.#sendSnapshot(effect.peer.id, effect.epoch, effect.term);
      case 'cancelSnapshot':
        return say(`calls the snapshot for ${effect.peerId} off`);
      case 'receiveSnapshot':
        return this.#install(effect.requestId, effect.request);
      case 'resolveReads':
        return say(`confirms reads ${effect.ids.join(', ')} at ${effect.index}`);
      case 'refuseReads':
        return say(`refuses reads ${effect.ids.join(', ')}: ${effect.failure.code}`);
      case 'transferDone':
        return say(effect.failure === null ? 'transfer done' : `transfer failed: ${effect.failure.message}`);
      case 'halt':
        return say(`halts: ${effect.failure.code}`);
      case 'observe': {
        const text = describeObservation(this.id, effect.observation);
        if (text !== undefined) say(text);
        return;
      }
      default:
        throw new Error(`scripts do not know what to do about ${effect.type}`);
    }
  }

  #write(write: Persist): void {
    const parts = write.log.map(describeWrite);
    if (write.hardState !== null) {
      const { term, votedFor } = write.hardState;
      parts.unshift(`term ${term}, ${votedFor === null ? 'no vote' : `vote for ${votedFor}`}`);
    }
    this.writes.push(write);
    if (this.asyncWrites) {
      if (parts.length > 0) this.#around.tell(`${this.id} begins write ${write.seq}: ${parts.join('; ')}`);
      return;
    }
    if (parts.length > 0) this.#around.detail(`${this.id} stores ${parts.join('; ')}`);
    this.persist();
  }

  #store(write: Persist): void {
    if (this.asyncWrites) this.#around.tell(`${this.id} has done write ${write.seq}`);
    this.hardState = write.hardState ?? this.hardState;
    for (const change of write.log) {
      if (change.op === 'append') this.stored.push(...change.entries);
      else if (change.op === 'truncate') this.stored = this.stored.filter(({ index }) => index < change.from);
      else if (change.op === 'reset') this.stored = [];
      else if (change.op === 'compact') this.#dropThrough(change.through);
    }
  }

  #dropThrough(through: number): void {
    for (const { index, term } of this.stored) if (index <= through) this.#compactedTerms.set(index, term);
    this.stored = this.stored.filter(({ index }) => index > through);
  }

  #send(to: ServerId, outgoing: Extract<Outgoing, { readonly kind: 'request' }>): void {
    const { snapshotEpoch: epoch, body } = outgoing;
    const snapshot =
      epoch === undefined || body.kind !== 'installSnapshot' ? {} : { snapshotEpoch: epoch, index: body.lastLogIndex };
    this.open.set(outgoing.rpcId, { to, ...snapshot });
    this.#around.send({ ...outgoing, from: this.id, to, life: this.life });
  }

  #answer(requestId: number, make: (rpcId: number) => Outgoing): void {
    const asked = this.#asked.get(requestId);
    if (asked === undefined) return;
    this.#asked.delete(requestId);
    this.#around.send({ ...make(asked.rpcId), from: this.id, to: asked.from, life: asked.life });
  }

  #apply(commit: number): void {
    const entries: LogEntry[] = [];
    while (this.applied < commit) {
      const index = this.applied + 1;
      const entry = this.core.entries(index, index, Infinity)?.[0] ?? this.stored.find((e) => e.index === index);
      if (entry === undefined) throw new Error(`node ${this.id} cannot read the committed entry ${index}`);
      this.applied = index;
      this.#around.applied(this.id, entry);
      entries.push(entry);
    }
    this.#around.tell(`${this.id} commits and applies ${entries.map(describeEntry).join(', ')}`);
    this.step({ type: 'applied', index: commit });
  }

  #readLog(peerId: ServerId, epoch: number, from: number, to: number): void {
    this.#around.detail(`${this.id} reads ${from} to ${to} from its disk for ${peerId}`);
    const entries = this.stored.filter(({ index }) => index >= from && index <= to);
    this.step({ type: 'logRead', peerId, epoch, entries });
  }

  #sendSnapshot(to: ServerId, epoch: number, term: number): void {
    const meta = this.snapshot;
    if (meta === null) throw new Error(`node ${this.id} has no snapshot to send to ${to}`);
    const body: InstallSnapshotRequest = {
      kind: 'installSnapshot',
      header: { protocolVersion: 3, id: this.id, address: `address-of-${this.id}` },
      version: 1,
      term,
      lastLogIndex: meta.index,
      lastLogTerm: meta.term,
      configuration: meta.configuration,
      configurationIndex: meta.configurationIndex,
      size: meta.size,
      offset: 0,
      chunk: new Uint8Array(meta.size),
      crc: 0,
      done: true,
    };
    // Ids below 0: a snapshot's requests are the runtime's, not the core's.
    this.#send(to, { kind: 'request', rpcId: --this.#snapshotRpcIds, body, snapshotEpoch: epoch });
  }

  #install(requestId: number, request: InstallSnapshotRequest): void {
    const { lastLogIndex: index, lastLogTerm: term, configuration, configurationIndex, size } = request;
    this.snapshot = { id: `${term}-${index}`, version: 1, index, term, configuration, configurationIndex, size };
    this.applied = index;
    this.step({ type: 'snapshotInstalled', requestId, meta: this.snapshot });
  }

  /** What this node is, in one line, and what it knows of its peers. */
  status(): string[] {
    const { core } = this;
    const leader = core.leader === null ? 'no leader' : `leader ${core.leader.id}`;
    const log = `last ${core.lastTerm}/${core.lastIndex}, stable ${core.stableIndex}, commit ${core.commitIndex}`;
    const peers = Object.entries(core.stats().peers).map(
      ([id, { mode, match, next }]) => `  ${id}: ${mode}, match ${match}, next ${next}`,
    );
    return [`${this.id}: ${core.state}, term ${core.term}, ${leader}, ${log}`, ...peers];
  }

  /** The log on the disk. */
  logLines(): string[] {
    const first = this.snapshot === null ? [] : [`snapshot ${this.snapshot.term}/${this.snapshot.index}`];
    return [...first, ...this.stored.map(describeEntry)];
  }
}

function snapshotConfiguration(meta: SnapshotMeta): ConfigurationAt {
  return { index: meta.configurationIndex, configuration: meta.configuration };
}

/** Entries of the given terms, from index 1. */
export function initialLog(terms: readonly number[]): LogEntry[] {
  return terms.map((term, i) => ({
    index: i + 1,
    term,
    type: EntryType.command,
    data: Buffer.from(`old ${i + 1}`),
  }));
}
