import type { DiscoverySignature } from '@discovery-raft/protocol';
import { listedWord } from '../policy/listed-word.js';
import { sameBytes } from '../policy/bytes.js';
import type { ListedRecord } from '../ports.js';
import type { BookEntry } from './book-entry.js';
import type { Context } from './context.js';
import type { Deadline } from './deadline.js';

/** An accepted packet with this node's attestation, on its way into the shared list. */
export interface PendingForward {
  readonly identity: string;
  /** Unix seconds. */
  readonly expiration: number;
  readonly packet: Uint8Array;
  /** What is known of it. */
  readonly entry: BookEntry;
  readonly signature: DiscoverySignature;
}

const RECORD_OVERHEAD_BYTES = 256;
const MAX_BACKOFF_DOUBLINGS = 5;

/** Who is told whether a packet reached the list. */
interface Waiter {
  readonly deadline: Deadline;
  readonly tell: (seen: boolean) => void;
}

/** A class and no object spread into another: thousands a second are made, and all must have one shape. */
class Pending implements PendingForward {
  readonly identity: string;
  readonly expiration: number;
  readonly packet: Uint8Array;
  readonly entry: BookEntry;
  readonly signature: DiscoverySignature;
  readonly bytes: number;
  /** Sends so far to the present leader. */
  attempts = 0;
  /** Elapsed seconds; not sent again before. */
  nextAt = -Infinity;
  ready = false;
  waiters: Waiter[] = [];

  constructor({ identity, expiration, packet, entry, signature }: PendingForward) {
    this.identity = identity;
    this.expiration = expiration;
    this.packet = packet;
    this.entry = entry;
    this.signature = signature;
    this.bytes = RECORD_OVERHEAD_BYTES + packet.length + signature.certificate.length + signature.signature.length;
  }
}

/** Takes one packet on its way, and tells when that is over, however it ended: it is done again until the packet is seen in the list. */
export type Deliver = (pending: PendingForward, over: () => void) => void;

/**
 * What this node accepted and has not seen in the shared list yet: the newest packet of each identity. Each is delivered
 * again, ever less often, until it shows up in the list, has expired, or gives way to a newer one. Bounded in packets and
 * bytes; what is in it is never dropped to make room.
 */
export class ForwardQueue {
  readonly #context: Context;
  readonly #pending = new Map<string, Pending>();
  #ready: Pending[] = [];
  #head = 0;
  #bytes = 0;
  #underWay = 0;
  /** Counts the routes: what is still under way to an earlier receiver does not hold the present one up. */
  #route = 0;
  #deliver: Deliver | undefined;
  #limit = 1;
  #isStopped = false;

  constructor(context: Context) {
    this.#context = context;
  }

  get size(): number {
    return this.#pending.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a packet of this size may come in beside `reserved` others that are on their way here. */
  hasRoom(packetBytes: number, reserved: number): boolean {
    const { maxForwardItems, maxForwardBytes } = this.#context.config;
    const perItem = packetBytes + RECORD_OVERHEAD_BYTES;
    return this.#pending.size + reserved < maxForwardItems && this.#bytes + perItem * (reserved + 1) <= maxForwardBytes;
  }

  /** The packet of an identity that is waiting. */
  get(identity: string): PendingForward | undefined {
    return this.#pending.get(identity);
  }

  /** Takes a packet over; an older one of the same identity gives way. */
  add(forward: PendingForward): void {
    this.#remove(forward.identity, true);
    const pending = new Pending(forward);
    this.#pending.set(forward.identity, pending);
    this.#bytes += pending.bytes;
    this.#makeReady(pending);
    this.pump();
  }

  /** Tells true once the identity's waiting packet is in the list, false soon after the deadline; true when none waits. */
  whenSeen(identity: string, deadline: Deadline, tell: (seen: boolean) => void): void {
    const pending = this.#pending.get(identity);
    if (pending === undefined) tell(true);
    else if (this.#isStopped) tell(false);
    else pending.waiters.push({ deadline, tell });
  }

  /**
   * Everything goes to this receiver from now on, from the beginning; undefined holds it all back.
   *
   * @param limit deliveries under way at once
   */
  route(deliver: Deliver | undefined, limit: number): void {
    this.#deliver = deliver;
    this.#limit = limit;
    this.#route++;
    this.#underWay = 0;
    this.#ready = [];
    this.#head = 0;
    if (deliver === undefined) return;
    for (const pending of this.#pending.values()) {
      pending.attempts = 0;
      pending.nextAt = -Infinity;
      pending.ready = false;
      this.#makeReady(pending);
    }
    this.pump();
  }

  /**
   * A record is in the list: whether it carries what waits. Only this node's own signature bytes prove that.
   *
   * @returns what is known of its packet, when it does
   */
  seen(record: ListedRecord): BookEntry | undefined {
    const pending = this.#pending.get(record.identity);
    if (pending === undefined || record.expiration !== pending.expiration) return undefined;
    const own = listedWord(record, this.#context.self);
    if (own === undefined || !sameBytes(own.signature.signature, pending.signature.signature)) return undefined;
    if (!record.hasPacket(pending.packet)) return undefined;
    this.#remove(record.identity, true);
    return pending.entry;
  }

  /** An authentic newer packet is in the list: what waits is out of date. */
  superseded(identity: string, expiration: number): void {
    const pending = this.#pending.get(identity);
    if (pending !== undefined && pending.expiration < expiration) this.#remove(identity, true);
  }

  /** To be called every now and then: drops what has expired, tells who waited too long, delivers again what is due. */
  tick(): void {
    const wallNow = this.#context.time.wallNow();
    const elapsed = this.#context.time.elapsed();
    for (const pending of this.#pending.values()) {
      if (pending.expiration <= wallNow) {
        this.#remove(pending.identity, false);
        continue;
      }
      for (let i = pending.waiters.length - 1; i >= 0; i--) {
        if (pending.waiters[i]!.deadline.isOver) pending.waiters.splice(i, 1)[0]!.tell(false);
      }
      if (pending.nextAt <= elapsed) this.#makeReady(pending);
    }
    this.pump();
  }

  /** Tells everybody who waits that it is over, and who comes later too. */
  stop(): void {
    this.#isStopped = true;
    this.#deliver = undefined;
    for (const pending of this.#pending.values()) tellAll(pending, false);
  }

  /** Delivers what is ready, as far as the limit allows. */
  pump(): void {
    const deliver = this.#deliver;
    if (deliver === undefined) return;
    while (this.#underWay < this.#limit && this.#head < this.#ready.length) {
      const pending = this.#ready[this.#head++]!;
      if (pending.ready && this.#pending.get(pending.identity) === pending) this.#send(pending, deliver);
    }
    if (this.#head * 2 > this.#ready.length) {
      this.#ready = this.#ready.slice(this.#head);
      this.#head = 0;
    }
  }

  #send(pending: Pending, deliver: Deliver): void {
    const { resendSeconds } = this.#context.config;
    pending.ready = false;
    const wait = resendSeconds * 2 ** Math.min(pending.attempts++, MAX_BACKOFF_DOUBLINGS);
    pending.nextAt = this.#context.time.elapsed() + wait;
    this.#underWay++;
    const route = this.#route;
    deliver(pending, () => {
      if (route !== this.#route) return;
      this.#underWay--;
      this.pump();
    });
  }

  #makeReady(pending: Pending): void {
    if (pending.ready || this.#deliver === undefined) return;
    pending.ready = true;
    this.#ready.push(pending);
  }

  #remove(identity: string, seen: boolean): void {
    const pending = this.#pending.get(identity);
    if (pending === undefined) return;
    this.#pending.delete(identity);
    this.#bytes -= pending.bytes;
    tellAll(pending, seen);
  }
}

function tellAll(pending: Pending, seen: boolean): void {
  const { waiters } = pending;
  pending.waiters = [];
  for (const { tell } of waiters) tell(seen);
}
