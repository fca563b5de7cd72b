import type { Clock, LogIndex } from '@discovery-raft/raft-core';
import { ListError } from '../errors.js';
import { requireInteger } from '../limits.js';
import type { FrozenList } from '../list-events.js';
import type { Attestation, NewAttestation, PacketClaims, StoredRecord } from '../record.js';
import type { ListResult, SharedList } from '../shared-list.js';
import { describePacket } from '../state/apply-entry.js';
import type { Propose } from './entry-gate.js';
import type { ReadPacket } from './lane.js';
import { Leadership, type LeadershipPorts } from './leadership.js';
import type { UpsertOutcome } from './operations.js';

const MAX_COALESCE_MS = 60_000;
const LATE_FACTOR = 5;

/** Options of a {@link ListWriter}. */
export interface ListWriterOptions {
  /** This node's replica. */
  readonly list: SharedList;
  /**
   * Appends to the log, as `Raft.apply` does: resolves once the entry is applied to `list`, in log order. Rejects with an
   * error whose `details.outcome` may say `notAppended` or `lost`; without, the outcome counts as unknown.
   */
  readonly propose: (data: Uint8Array) => Promise<{ readonly index: LogIndex; readonly response: ListResult }>;
  /** The same without a promise, as `Raft.applyThen` does; neither is called before it returns. Default: by way of `propose`. */
  readonly proposeThen?: Propose;
  readonly clock: Clock;
  /** Attestations that make a packet complete, so that it takes the place of older ones; asked at each decision. */
  readonly attestationThreshold: number | (() => number);
  /**
   * How many may attest a packet; asked at each decision. A packet is then written as soon as it has the attestations of all, or
   * when its time is over. Default: not known, and it is written as soon as it is complete.
   */
  readonly attesters?: number | (() => number);
  /** Attestations of one packet that come within this time are written together. Default 50; 0 writes each at once. */
  readonly coalesceMs?: number;
  /**
   * The same for attestations of a packet that has as many as it needs: each write costs an entry, and nobody waits for
   * these. Default five times `coalesceMs`; 0 writes each at once.
   */
  readonly lateCoalesceMs?: number;
  /** Most bytes that wait or are in flight. Default 64 MiB. */
  readonly maxPendingBytes?: number;
  /** Most packets of one identity side by side. Default 4. */
  readonly maxRecordsPerIdentity?: number;
}

/**
 * The leader's side of the list: decides what is written. Every node has one; it works while its node leads.
 *
 * Order of calls: when this node becomes leader, wait until the list has applied the new term's first entry (a
 * `raft.barrier()`), then {@link takeOver}; when it ceases to lead, {@link stepDown} at once. Nothing is handed over from
 * leader to leader but the list itself.
 *
 * All promises settle: with the outcome, or with a {@link ListError}. After `LIST_LEADERSHIP_LOST` or
 * `LIST_PROPOSAL_FAILED` the same call may be made again, here or at the new leader: what was written after all is found
 * and not written twice.
 *
 * @example
 * const writer = new ListWriter({ list, propose: (data) => raft.apply(data), clock, attestationThreshold: 2 });
 * raft.on('stateChange', async ({ to }) => {
 *   writer.stepDown();
 *   if (to === 'leader') await raft.barrier().then(() => writer.takeOver());
 * });
 */
export class ListWriter {
  readonly #ports: LeadershipPorts;
  #leadership: Leadership | undefined;

  /** @throws ListError LIST_OPTION_INVALID */
  constructor(options: ListWriterOptions) {
    const { attestationThreshold, attesters = Infinity } = options;
    const { coalesceMs = 50, maxPendingBytes = 2 ** 26, maxRecordsPerIdentity = 4 } = options;
    const { lateCoalesceMs = LATE_FACTOR * coalesceMs } = options;
    requireInteger('coalesceMs', coalesceMs, 0, MAX_COALESCE_MS);
    requireInteger('lateCoalesceMs', lateCoalesceMs, 0, LATE_FACTOR * MAX_COALESCE_MS);
    requireInteger('maxPendingBytes', maxPendingBytes, 1, Number.MAX_SAFE_INTEGER);
    requireInteger('maxRecordsPerIdentity', maxRecordsPerIdentity, 1, 1024);
    if (typeof attestationThreshold === 'number')
      requireInteger('attestationThreshold', attestationThreshold, 1, 2 ** 20);
    if (options.attesters !== undefined && typeof attesters === 'number')
      requireInteger('attesters', attesters, 1, 2 ** 20);
    this.#ports = {
      list: options.list,
      propose: options.proposeThen ?? ((data, applied, failed) => void options.propose(data).then(applied, failed)),
      clock: options.clock,
      coalesceMs,
      lateCoalesceMs,
      maxPendingBytes,
      maxRecordsPerIdentity,
      threshold: typeof attestationThreshold === 'number' ? () => attestationThreshold : attestationThreshold,
      attesters: typeof attesters === 'number' ? () => attesters : attesters,
    };
  }

  /** Whether this node writes. */
  get leading(): boolean {
    return this.#leadership !== undefined;
  }

  /** Bytes that wait or are in flight; 0 while it does not lead. */
  get pendingBytes(): number {
    return this.#leadership?.pendingBytes ?? 0;
  }

  /** Begins to write, from the list as it is applied here. What a term before left open is rejected first. */
  takeOver(): void {
    this.stepDown();
    this.#leadership = new Leadership(this.#ports);
  }

  /** Stops writing. Whatever waits or is in flight is rejected with LIST_LEADERSHIP_LOST. Idempotent. */
  stepDown(): void {
    const leadership = this.#leadership;
    // Who is told may write again at once, and must not come to what has ended.
    this.#leadership = undefined;
    leadership?.end();
  }

  /**
   * Brings a packet and attestations for it into the list; merges them with what is there and with what comes within the
   * coalescing window.
   *
   * @param packet owned by the writer from here on
   * @param attestation one or more, verified by the caller
   * @param claims what the schema says of the packet, when the caller has read it; else it is read here
   * @returns when the record is applied here; at once when there is nothing to write
   * @throws ListError LIST_NOT_LEADER, LIST_LEADERSHIP_LOST, LIST_OVERLOADED, LIST_TOO_MANY_RECORDS,
   * LIST_TOO_MANY_ATTESTATIONS, LIST_PACKET_TOO_LARGE, LIST_PACKET_INVALID, LIST_ATTESTATION_INVALID,
   * LIST_PROPOSAL_FAILED, LIST_PROPOSAL_IGNORED
   */
  upsert(
    packet: Uint8Array,
    attestation: NewAttestation | readonly NewAttestation[],
    claims?: PacketClaims,
  ): Promise<UpsertOutcome> {
    return new Promise((resolve, reject) => this.upsertThen(packet, attestation, claims, resolve, reject));
  }

  /**
   * {@link upsert} for who writes thousands of times a second: a promise for each would be most of what this costs.
   *
   * @param told one of the two is called, once, later; neither may throw
   */
  upsertThen(
    packet: Uint8Array,
    attestation: NewAttestation | readonly NewAttestation[],
    claims: PacketClaims | undefined,
    told: (outcome: UpsertOutcome) => void,
    failed: (error: Error) => void,
  ): void {
    try {
      const leadership = this.#leading();
      const attestations = 'signature' in attestation ? [attestation] : attestation;
      leadership.upsert(this.#read(packet, attestations, claims), told, failed);
    } catch (error) {
      void Promise.reject(error).catch(failed);
    }
  }

  /**
   * Removes all records of an identity, after what was asked for it before.
   *
   * @returns how many were removed
   * @throws ListError LIST_NOT_LEADER, LIST_LEADERSHIP_LOST, LIST_PROPOSAL_FAILED
   */
  async remove(identity: string): Promise<number> {
    return this.#leading().remove(identity, (records) => records);
  }

  /**
   * Removes those records of an identity that the caller finds bad, such as forged ones that a former leader wrote; after
   * what was asked for the identity before.
   *
   * @param isBad asked of each live record of the identity when its turn comes
   * @returns how many were removed
   * @throws ListError LIST_NOT_LEADER, LIST_LEADERSHIP_LOST, LIST_PROPOSAL_FAILED
   */
  async removeRecords(identity: string, isBad: (record: StoredRecord) => boolean): Promise<number> {
    return this.#leading().remove(identity, (records) => records.filter(isBad));
  }

  /**
   * Removes what nobody needs any more: expired records; older packets beside one that holds and has reached the
   * threshold; records that say nothing that another does not say too.
   *
   * @param nowSeconds Unix seconds; a record has expired when its expiration is not above it
   * @returns how many were removed
   * @throws ListError LIST_NOT_LEADER, LIST_LEADERSHIP_LOST, LIST_PROPOSAL_FAILED, LIST_OPTION_INVALID
   */
  async expire(nowSeconds: number): Promise<number> {
    requireInteger('nowSeconds', nowSeconds, 0, Number.MAX_SAFE_INTEGER);
    return this.#leading().expire(nowSeconds);
  }

  /**
   * Writes a freeze marker; every replica takes its view as it applies it. What waits for its coalescing window is
   * written before, so it is in the view unless an earlier write of the same identity is still in flight.
   *
   * @param round an integer from 1
   * @returns the marker's log index and this replica's view at it
   * @throws ListError LIST_NOT_LEADER, LIST_LEADERSHIP_LOST, LIST_PROPOSAL_FAILED, LIST_OPTION_INVALID
   */
  async freeze(round: number): Promise<FrozenList> {
    requireInteger('round', round, 1, Number.MAX_SAFE_INTEGER);
    return this.#leading().freeze(round);
  }

  /**
   * Keeps everything but freeze markers from the log, in the order in which it came, until the hold is released: so that
   * the list stays as it is for members that read it only after it was frozen. What was proposed before goes its way. Called
   * in the same turn as {@link freeze}, it holds from right behind the marker. `maxPendingBytes` bounds what it holds back.
   *
   * @returns releases the hold; idempotent, and without effect once this term is over. While this node does not lead,
   * nothing is held
   */
  hold(): () => void {
    return this.#leadership?.hold() ?? (() => undefined);
  }

  #leading(): Leadership {
    if (this.#leadership !== undefined) return this.#leadership;
    throw new ListError('LIST_NOT_LEADER', 'this node does not write the list', { outcome: 'notAppended' });
  }

  #read(packet: Uint8Array, attestations: readonly NewAttestation[], claims: PacketClaims | undefined): ReadPacket {
    const { list } = this.#ports;
    const { schema, limits } = list;
    if (packet.length > limits.maxPacketBytes) {
      throw new ListError('LIST_PACKET_TOO_LARGE', 'the packet is too long', { bytes: packet.length });
    }
    const described = packet.length === 0 ? undefined : (claims ?? describePacket(packet, schema, limits));
    if (described === undefined) throw new ListError('LIST_PACKET_INVALID', 'the schema does not know the packet');
    const read = attestations.map(({ signature, expiration }): Attestation => {
      const longest = Math.max(signature.certificate.length, signature.signature.length);
      if (longest <= limits.maxAttestationBytes && Number.isSafeInteger(expiration) && expiration >= 0) {
        const attester = list.attesterOf(signature.certificate);
        if (attester !== undefined) return { attester, signature, expiration };
      }
      throw new ListError('LIST_ATTESTATION_INVALID', 'the attestation names nobody, or is over a limit');
    });
    const { identity, expiration } = described;
    return { packet, identity, expiration, attestations: read };
  }
}
