import type { ConfigurationAt } from '../../src/core/configuration.js';
import { RaftCore } from '../../src/core/core.js';
import type { Effect } from '../../src/core/effects.js';
import type { Input } from '../../src/core/inputs.js';
import { resolveConfig, type RaftConfig } from '../../src/core/options.js';
import { TermRuns } from '../../src/core/term-runs.js';
import {
  EntryType,
  type AppendEntriesRequest,
  type AppendEntriesResponse,
  type InstallSnapshotRequest,
  type LogEntry,
  type RequestPreVoteRequest,
  type RequestPreVoteResponse,
  type RequestVoteRequest,
  type RequestVoteResponse,
  type RpcHeader,
  type RpcRequest,
  type RpcResponse,
  type Server,
  type ServerId,
} from '../../src/index.js';

export type Persist = Extract<Effect, { readonly type: 'persist' }>;
export type Send = Extract<Effect, { readonly type: 'send' }>;

export function header(id: ServerId): RpcHeader {
  return { protocolVersion: 3, id, address: `address-of-${id}` };
}

export function voter(id: ServerId): Server {
  return { suffrage: 'voter', id, address: `address-of-${id}` };
}

/** A command entry whose bytes are its index and term as text. */
export function entry(index: number, term: number): LogEntry {
  return { index, term, type: EntryType.command, data: Buffer.from(`${index}@${term}`) };
}

/** Entries of the given terms, the first at `from`. */
export function entriesOf(terms: readonly number[], from = 1): LogEntry[] {
  return terms.map((term, i) => entry(from + i, term));
}

/** Fields of an answer that differ from a plain success. */
export type AnyAnswer = Omit<Partial<AppendEntriesResponse>, 'kind'> & Omit<Partial<RequestVoteResponse>, 'kind'>;

export interface DriverOptions {
  readonly id?: ServerId;
  /** All voters; default a, b, c. */
  readonly voters?: readonly ServerId[];
  readonly servers?: readonly Server[];
  readonly outgoing?: readonly Server[];
  readonly term?: number;
  readonly votedFor?: ServerId | null;
  /** Terms of the stored entries. */
  readonly log?: readonly number[];
  /** The log begins after a snapshot. */
  readonly snapshot?: { readonly index: number; readonly term: number };
  readonly configurations?: readonly ConfigurationAt[];
  readonly config?: Partial<RaftConfig>;
  /** Whether writes complete at once; default true. */
  readonly durable?: boolean;
}

/**
 * Drives one core by hand: time, randomness, messages and completions are the test's. It keeps the log as a store would,
 * and reads from it when the core asks.
 */
export class CoreDriver {
  readonly core: RaftCore;
  now = 0;
  random = 0;
  /** Whether writes complete at once. */
  durable: boolean;
  /** Everything that was carried out, oldest first. */
  effects: Effect[] = [];
  /** Writes under way. */
  writes: Persist[] = [];
  /** What the store holds. */
  stored: LogEntry[];
  hardState: { readonly term: number; readonly votedFor: ServerId | null } | null = null;
  #requestIds = 0;
  #queue: Input[] = [];
  #stepping = false;

  constructor(options: DriverOptions = {}) {
    const base = options.snapshot ?? { index: 0, term: 0 };
    this.stored = entriesOf(options.log ?? [], base.index + 1);
    this.durable = options.durable ?? true;
    const terms = new TermRuns(base.index, base.term);
    for (const term of options.log ?? []) terms.push(term);
    const servers = options.servers ?? (options.voters ?? ['a', 'b', 'c']).map(voter);
    const configuration = { servers, ...(options.outgoing ? { outgoing: options.outgoing } : {}) };
    const term = options.term ?? terms.lastTerm;
    this.core = new RaftCore({
      id: options.id ?? 'a',
      address: `address-of-${options.id ?? 'a'}`,
      config: resolveConfig({ preVote: false, ...options.config }),
      hardState: { term, votedFor: options.votedFor ?? null },
      terms,
      configurations: options.configurations ?? [{ index: 0, configuration }],
      snapshotIndex: base.index,
    });
    this.core.start(this.now, this.random);
  }

  /** Feeds one input; returns the effects that it led to, those of writes that complete at once too. */
  step(input: Input): Effect[] {
    const before = this.effects.length;
    this.#queue.push(input);
    if (this.#stepping) return [];
    this.#stepping = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      this.#carryOut(this.core.step(this.now, this.random, next));
    }
    this.#stepping = false;
    return this.effects.slice(before);
  }

  #carryOut(effects: readonly Effect[]): void {
    for (const effect of effects) {
      this.effects.push(effect);
      if (effect.type === 'persist') {
        this.writes.push(effect);
        if (this.durable) this.completeWrites();
      } else if (effect.type === 'readLog') {
        const entries = this.stored.filter(({ index }) => index >= effect.from && index <= effect.to);
        this.step({ type: 'logRead', peerId: effect.peerId, epoch: effect.epoch, entries });
      }
    }
  }

  /** Completes writes under way, oldest first, as one merged write. */
  completeWrites(count = Infinity): Effect[] {
    const before = this.effects.length;
    const done = this.writes.splice(0, count);
    for (const write of done) this.#store(write);
    for (const write of done) this.#carryOut(write.then);
    const last = done.at(-1);
    if (last !== undefined) {
      this.step({ type: 'persisted', seq: last.seq, logEpoch: last.logEpoch, lastIndex: last.lastIndex });
    }
    return this.effects.slice(before);
  }

  #store(write: Persist): void {
    this.hardState = write.hardState ?? this.hardState;
    for (const change of write.log) {
      if (change.op === 'append') this.stored.push(...change.entries);
      else if (change.op === 'truncate') this.stored = this.stored.filter(({ index }) => index < change.from);
      else if (change.op === 'reset') this.stored = [];
      else if (change.op === 'compact') this.stored = this.stored.filter(({ index }) => index > change.through);
    }
  }

  /** Lets time pass, with one tick at its end. */
  pass(ms: number): Effect[] {
    this.now += ms;
    return this.step({ type: 'tick' });
  }

  /** Lets time pass until the core wants a tick. */
  passToDeadline(): Effect[] {
    return this.pass(Math.max(0, this.core.nextDeadline() - this.now));
  }

  /** A request comes in; returns the response that left, undefined when none has yet or it was refused. */
  request(request: RpcRequest): RpcResponse | undefined {
    const requestId = ++this.#requestIds;
    this.step({ type: 'request', requestId, request });
    return this.responseTo(requestId);
  }

  /** The id of the last request. */
  get lastRequestId(): number {
    return this.#requestIds;
  }

  responseTo(requestId: number): RpcResponse | undefined {
    for (const effect of this.effects) {
      if (effect.type === 'reply' && effect.requestId === requestId) return effect.response;
    }
    return undefined;
  }

  /** AppendEntries from a leader. */
  append(
    from: ServerId,
    term: number,
    prev: readonly [index: number, term: number],
    entries: readonly LogEntry[] = [],
    commit = 0,
  ): AppendEntriesResponse | undefined {
    return this.request(appendRequest(from, term, prev, entries, commit)) as AppendEntriesResponse | undefined;
  }

  vote(
    from: ServerId,
    term: number,
    last: readonly [index: number, term: number],
    leadershipTransfer = false,
  ): RequestVoteResponse | undefined {
    return this.request(voteRequest(from, term, last, leadershipTransfer)) as RequestVoteResponse | undefined;
  }

  preVote(
    from: ServerId,
    term: number,
    last: readonly [index: number, term: number],
  ): RequestPreVoteResponse | undefined {
    const request: RequestPreVoteRequest = {
      kind: 'requestPreVote',
      header: header(from),
      term,
      lastLogIndex: last[0],
      lastLogTerm: last[1],
    };
    return this.request(request) as RequestPreVoteResponse | undefined;
  }

  /** Requests that left, of one kind, newest last. */
  sent<K extends RpcRequest['kind']>(
    kind: K,
    to?: ServerId,
    effects: readonly Effect[] = this.effects,
  ): (Send & { readonly request: Extract<RpcRequest, { readonly kind: K }> })[] {
    return effects.filter(
      (effect): effect is Send & { readonly request: Extract<RpcRequest, { readonly kind: K }> } =>
        effect.type === 'send' && effect.request.kind === kind && (to === undefined || effect.to.id === to),
    );
  }

  /** Answers a request that left. */
  answer(send: Send, response: AnyAnswer = {}): Effect[] {
    return this.step({
      type: 'response',
      rpcId: send.rpcId,
      peerId: send.to.id,
      response: answerTo(send, { ...response }),
    });
  }

  /** Answers every unanswered append to a peer with success. */
  acknowledge(peer: ServerId, effects: readonly Effect[] = this.effects): Effect[] {
    const before = this.effects.length;
    for (const send of this.sent('appendEntries', peer, effects)) this.answer(send);
    return this.effects.slice(before);
  }

  /** Wins an election; everybody grants. */
  becomeLeader(): Effect[] {
    const before = this.effects.length;
    this.passToDeadline();
    for (const send of this.sent('requestPreVote', undefined, this.effects.slice(before))) this.answer(send);
    for (const send of this.sent('requestVote', undefined, this.effects.slice(before))) this.answer(send);
    if (this.core.state !== 'leader') throw new Error(`it is a ${this.core.state}`);
    return this.effects.slice(before);
  }

  propose(...lines: readonly string[]): Effect[] {
    const proposals = lines.map((line, i) => ({ id: 1000 + i, type: EntryType.command, data: Buffer.from(line) }));
    return this.step({ type: 'propose', proposals, wallNowMs: 0 });
  }

  /** Index and term of what the store holds, as text. */
  get log(): string[] {
    return this.stored.map(({ index, term }) => `${index}@${term}`);
  }

  ofType<T extends Effect['type']>(type: T, effects: readonly Effect[] = this.effects): Extract<Effect, { type: T }>[] {
    return effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type);
  }
}

export function appendRequest(
  from: ServerId,
  term: number,
  prev: readonly [index: number, term: number],
  entries: readonly LogEntry[] = [],
  leaderCommitIndex = 0,
): AppendEntriesRequest {
  return {
    kind: 'appendEntries',
    header: header(from),
    term,
    prevLogIndex: prev[0],
    prevLogTerm: prev[1],
    entries,
    leaderCommitIndex,
    redactedThrough: 0,
  };
}

export function voteRequest(
  from: ServerId,
  term: number,
  last: readonly [index: number, term: number],
  leadershipTransfer = false,
): RequestVoteRequest {
  return {
    kind: 'requestVote',
    header: header(from),
    term,
    lastLogIndex: last[0],
    lastLogTerm: last[1],
    leadershipTransfer,
  };
}

/** A snapshot in one chunk. */
export function snapshotRequest(from: ServerId, term: number, last: readonly [number, number]): InstallSnapshotRequest {
  return {
    kind: 'installSnapshot',
    header: header(from),
    version: 1,
    term,
    lastLogIndex: last[0],
    lastLogTerm: last[1],
    configuration: { servers: ['a', 'b', 'c'].map(voter) },
    configurationIndex: 1,
    size: 1,
    offset: 0,
    chunk: new Uint8Array(1),
    crc: 0,
    done: true,
  };
}

function answerTo({ request, to }: Send, given: Record<string, unknown>): RpcResponse {
  const common = { header: header(to.id), term: 'term' in request ? request.term : 0 };
  switch (request.kind) {
    case 'appendEntries': {
      const last = request.prevLogIndex + request.entries.length;
      return {
        kind: 'appendEntriesResponse',
        ...common,
        success: true,
        lastLog: last,
        matchIndex: last,
        noRetryBackoff: false,
        conflictTerm: 0,
        conflictIndex: 0,
        ...given,
      };
    }
    case 'requestVote':
      return { kind: 'requestVoteResponse', ...common, granted: true, ...given };
    case 'requestPreVote':
      return { kind: 'requestPreVoteResponse', ...common, term: request.term - 1, granted: true, ...given };
    case 'installSnapshot':
      return { kind: 'installSnapshotResponse', ...common, success: true, nextOffset: request.size, ...given };
    case 'timeoutNow':
      return { kind: 'timeoutNowResponse', header: common.header };
    case 'readIndex':
      return { kind: 'readIndexResponse', ...common, index: 0, ...given };
  }
}
