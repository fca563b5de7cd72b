import { create } from '@bufbuild/protobuf';
import { DiscoveryStateDigestSchema } from '@discovery-raft/protocol';
import { sameBytes } from '../policy/bytes.js';
import { slotAt, slotStart } from '../policy/slots.js';
import { isOutvoted } from '../policy/state-verdict.js';
import type { FrozenList } from '../ports.js';
import type { Context } from './context.js';
import { describeFailure, raiseAlarm, sendCounted } from './context.js';
import { inSlices } from './slices.js';

/** Bytes of a digest. */
const DIGEST_BYTES = 32;
/** Markers whose states are compared, and claims that are kept of a member: its oldest goes, so a liar fills only its own. */
const MAX_STATES = 4;
/** Stands for no digest in a message. */
export const NO_DIGEST = new Uint8Array(0);

/** What a member says its state is. */
export interface StateClaim {
  readonly from: string;
  /** 32 bytes. */
  readonly digest: Uint8Array;
}

/** This node's state is not the others'. */
export interface StateDivergence {
  readonly round: number;
  /** Log index of the freeze marker at which they differ. */
  readonly index: number;
  /** This node's digest, 32 bytes. */
  readonly own: Uint8Array;
  /** Those who differ, by name. */
  readonly others: readonly StateClaim[];
}

/** A node's state at a freeze marker. */
export interface StateAt {
  readonly round: number;
  readonly index: number;
  /** 32 bytes. */
  readonly digest: Uint8Array;
}

interface WatchedState {
  readonly list: FrozenList;
  /** Members that an alarm was raised for. */
  readonly alarmed: Set<string>;
  isOpen: boolean;
  cancelTimer: (() => void) | undefined;
  /** This node's own, once somebody has asked for it. */
  digest: Promise<Uint8Array | undefined> | undefined;
  /** The same, once it is there. */
  known: Uint8Array | undefined;
}

/**
 * Compares the digests of the members' states at freeze markers. Each node tells all others its own, so that no leader can
 * keep from two followers that they differ. A difference raises an alarm with both digests; a node that is outvoted
 * (`isOutvoted`) tells its owner, who stops it. Source: ADR 0017.
 */
export class StateWatch {
  readonly #context: Context;
  readonly #outvoted: (divergence: StateDivergence) => void;
  readonly #states: WatchedState[] = [];
  /** Claims by member and log index. */
  readonly #claims = new Map<string, Map<number, Uint8Array>>();
  #last: StateAt | null = null;
  /** The last round for which the others are told, or will be as soon as the digest is there. */
  #toldOf = 0;
  #divergence: StateDivergence | null = null;

  /** @param outvoted called once: this node's state is wrong, or nobody can tell */
  constructor(context: Context, outvoted: (divergence: StateDivergence) => void) {
    this.#context = context;
    this.#outvoted = outvoted;
  }

  /** The state that this node told of last. */
  get last(): StateAt | null {
    return this.#last;
  }

  /** Why this node was stopped. */
  get divergence(): StateDivergence | null {
    return this.#divergence;
  }

  /**
   * A marker was applied here. Tells the others of it when its round is at hand: one marker a round, so that a leader who
   * writes many makes nobody work.
   *
   * @param isRunning whether this node may say anything yet
   */
  frozen(list: FrozenList, isRunning: boolean): void {
    this.#states.push({
      list,
      alarmed: new Set(),
      isOpen: true,
      cancelTimer: undefined,
      digest: undefined,
      known: undefined,
    });
    if (this.#states.length > MAX_STATES) this.#states.shift()?.cancelTimer?.();
    const { round, index } = list;
    if (isRunning && round > this.#toldOf && this.#isAtHand(round)) {
      this.#toldOf = round;
      this.#guarded(this.#tell(round, index));
    }
    this.#judge(index);
  }

  /** The list was replaced: what was frozen before is of another history. */
  clear(): void {
    for (const { cancelTimer } of this.#states.splice(0)) cancelTimer?.();
  }

  /** This node's digest at a marker; undefined when it is not known. O(n) the first time, in slices. */
  async digestAt(index: number | undefined): Promise<Uint8Array | undefined> {
    const state = this.#states.find(({ list }) => list.index === index);
    return state === undefined ? undefined : this.#digestOf(state);
  }

  /** The same, if it is there already. */
  knownAt(index: number | undefined): Uint8Array | undefined {
    return this.#states.find(({ list }) => list.index === index)?.known;
  }

  #digestOf(state: WatchedState): Promise<Uint8Array | undefined> {
    state.digest ??= this.#makeDigest(state);
    return state.digest;
  }

  async #makeDigest(state: WatchedState): Promise<Uint8Array | undefined> {
    const steps = state.list.view.digestSteps?.(this.#context.config.recordsPerSlice);
    if (steps !== undefined) state.known = await inSlices(this.#context, steps);
    return state.known;
  }

  #guarded(work: Promise<void>): void {
    work.catch((error: unknown) => raiseAlarm(this.#context, 'internal', describeFailure(error)));
  }

  /** A member says what its state is at an index; its first word for an index counts. @returns false for no digest */
  heard(from: string, index: number, digest: Uint8Array): boolean {
    if (digest.length !== DIGEST_BYTES || !Number.isSafeInteger(index) || index < 1) return false;
    const claims = this.#claims.get(from) ?? new Map<number, Uint8Array>();
    this.#claims.set(from, claims);
    if (claims.has(index)) return true;
    claims.set(index, digest);
    if (claims.size > MAX_STATES) claims.delete(claims.keys().next().value!);
    this.#judge(index);
    return true;
  }

  #isAtHand(round: number): boolean {
    const { config, time } = this.#context;
    const now = time.wallNow();
    return round >= slotAt(config, now) - 1 && round <= slotAt(config, now + config.clockToleranceSeconds);
  }

  async #tell(round: number, index: number): Promise<void> {
    const { committees, config } = this.#context;
    const digest = await this.digestAt(index);
    // Meanwhile the list may have been replaced, or this node stopped.
    if (digest === undefined || !this.#states.some(({ list }) => list.index === index)) return;
    this.#last = { round, index, digest };
    const fields = { version: config.protocolVersion, round: BigInt(round), index: BigInt(index), digest };
    const body = create(DiscoveryStateDigestSchema, fields);
    for (const peer of committees.others)
      void sendCounted(this.#context, peer, { event: 'discoveryStateDigest', body });
  }

  #judge(index: number): void {
    const state = this.#states.find(({ list }) => list.index === index);
    if (state === undefined || this.#divergence !== null) return;
    // Only then is the own one worked out.
    if (this.#claimsAt(state.list).length > 0) this.#guarded(this.#compare(state));
  }

  /** What the other members of the round say of their states at its marker. */
  #claimsAt({ round, index }: FrozenList): readonly StateClaim[] {
    const { committees, config, self } = this.#context;
    const members = [...committees.at(slotStart(config, round)).members].filter((member) => member !== self);
    return members.flatMap((from): StateClaim[] => {
      const digest = this.#claims.get(from)?.get(index);
      return digest === undefined ? [] : [{ from, digest }];
    });
  }

  async #compare(state: WatchedState): Promise<void> {
    const own = await this.#digestOf(state);
    // Meanwhile another claim may have stopped this node, or the list may have been replaced.
    if (own === undefined || this.#divergence !== null || !this.#states.includes(state)) return;
    const { round, index } = state.list;
    const { config, committees, time, self } = this.#context;
    const claims = this.#claimsAt(state.list);
    const others = claims.filter(({ digest }) => !sameBytes(digest, own));
    if (others.length === 0) return;
    this.#alarm(state, own, others);
    const nodes = new Set([...committees.at(slotStart(config, round)).members, self]).size;
    const counts = { nodes, same: claims.length - others.length, other: others.length };
    if (isOutvoted({ ...counts, isOpen: state.isOpen })) {
      this.#divergence = { round, index, own, others };
      this.clear();
      raiseAlarm(this.#context, 'stateDiverged', describeDivergence(this.#divergence));
      return this.#outvoted(this.#divergence);
    }
    if (!state.isOpen) return;
    state.cancelTimer ??= time.setTimer(config.voteSeconds, () => {
      state.isOpen = false;
      this.#judge(index);
    });
  }

  #alarm({ list: { round, index }, alarmed }: WatchedState, own: Uint8Array, others: readonly StateClaim[]): void {
    for (const claim of others) {
      if (alarmed.has(claim.from)) continue;
      alarmed.add(claim.from);
      raiseAlarm(this.#context, 'stateDiffers', describeDivergence({ round, index, own, others: [claim] }));
    }
  }
}

/** A divergence for people: both digests, and who has the other. */
export function describeDivergence({ round, index, own, others }: StateDivergence): string {
  const claims = others.map(({ from, digest }) => `${hex(digest)} at ${from}`).join(', ');
  return `round ${round}, log index ${index}: the state is ${hex(own)} here, ${claims}`;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
