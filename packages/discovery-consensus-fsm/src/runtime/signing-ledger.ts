import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { BuiltListing } from '../policy/listing.js';
import { sameBytes } from '../policy/bytes.js';
import { promiseForbids, promiseRefusal, type PromiseRefusal } from '../policy/root-promise.js';
import { slotStart } from '../policy/slots.js';
import type { NoReason } from '../policy/judgement.js';
import type { RootPromise, SignedRound } from '../ports.js';
import type { Context } from './context.js';
import { describeFailure, raiseAlarm } from './context.js';

/** What asking for a signature gives. */
export type SigningResult =
  | {
      readonly ok: true;
      readonly signature: DiscoverySignature;
      readonly shortSignature: DiscoverySignature | undefined;
    }
  | { readonly ok: false; readonly reason: NoReason };

/** What asking for a signature on a trust root gives. */
export type RootSigningResult =
  | { readonly ok: true; readonly signature: DiscoverySignature }
  | { readonly ok: false; readonly reason: PromiseRefusal | 'storeFailed' | 'signerFailed' };

/**
 * Signs listings: at most one a round, and never one of an older round. The promise is durable before the signature
 * exists, so a restart cannot break it. The same listing may be signed again: that says nothing new. The short listing
 * follows from the full one, so the promise not to sign another full one covers it.
 *
 * It signs trust roots too, since that is the other half of one promise: who signed a root signs no listing by an older
 * one for rounds from the new one's activation on, and who signed such a listing does not sign the root.
 */
export class SigningLedger {
  readonly #context: Context;
  #last: SignedRound | null = null;
  /** Whether `#last` is durable. */
  #recorded = true;
  #promise: RootPromise | null = null;
  /** Whether `#promise` is durable. */
  #promiseRecorded = true;
  /** Requests go one after the other, so two cannot both find the round unsigned. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(context: Context) {
    this.#context = context;
  }

  /** The last promise. */
  get last(): SignedRound | null {
    return this.#last;
  }

  /** The trust root that this node signed last. */
  get promise(): RootPromise | null {
    return this.#promise;
  }

  /** What the store has from before. */
  restore(signed: SignedRound | null, promise: RootPromise | null): void {
    this.#last = signed;
    this.#promise = promise;
  }

  /**
   * Signs the listing of a round, and its short one if asked to, or says why not.
   *
   * @param rootVersion of the trust root whose nodes decide the round
   */
  sign(round: number, rootVersion: number, listing: BuiltListing, withShort: boolean): Promise<SigningResult> {
    return this.#inTurn(() => this.#sign(round, rootVersion, listing, withShort));
  }

  /**
   * Signs the bytes of a trust root, or says why not. The promise is durable before the signature exists.
   *
   * @param presentVersion of the root in force at this moment
   */
  signRoot(promise: RootPromise, bytes: Uint8Array, presentVersion: number): Promise<RootSigningResult> {
    return this.#inTurn(() => this.#signRoot(promise, bytes, presentVersion));
  }

  #inTurn<T>(sign: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(sign);
    this.#turn = result;
    return result;
  }

  async #signRoot(promise: RootPromise, bytes: Uint8Array, presentVersion: number): Promise<RootSigningResult> {
    const { config, ports, time } = this.#context;
    const { signer, store } = ports;
    const lastCreation = this.#last === null ? undefined : slotStart(config, this.#last.round);
    const reason = promiseRefusal(promise, { held: this.#promise, presentVersion, lastCreation, now: time.wallNow() });
    if (reason !== undefined) return { ok: false, reason };
    // From here on it counts as promised, even if the store fails: it may have written after all.
    const isNew = this.#promise?.version !== promise.version;
    this.#promise = promise;
    if (isNew || !this.#promiseRecorded) {
      this.#promiseRecorded = false;
      try {
        if (store.recordPromise === undefined) throw new Error('the store keeps no promises');
        await store.recordPromise(promise);
        this.#promiseRecorded = true;
      } catch (error) {
        raiseAlarm(this.#context, 'storeFailed', describeFailure(error));
        return { ok: false, reason: 'storeFailed' };
      }
    }
    try {
      return { ok: true, signature: await signer.sign(bytes) };
    } catch (error) {
      raiseAlarm(this.#context, 'signerFailed', describeFailure(error));
      return { ok: false, reason: 'signerFailed' };
    }
  }

  async #sign(round: number, rootVersion: number, listing: BuiltListing, withShort: boolean): Promise<SigningResult> {
    const { config, ports } = this.#context;
    const { signer, store } = ports;
    const last = this.#last;
    if (promiseForbids(this.#promise, rootVersion, slotStart(config, round))) {
      return { ok: false, reason: 'rootPromised' };
    }
    if (last !== null && last.round > round) return { ok: false, reason: 'staleRound' };
    if (last?.round === round && !sameBytes(last.digest, listing.digest)) return { ok: false, reason: 'alreadySigned' };
    if (last?.round !== round || !this.#recorded) {
      // From here on the round counts as signed, even if the store fails: it may have written after all.
      this.#last = { round, digest: listing.digest };
      this.#recorded = false;
      try {
        await store.recordSigned(this.#last);
        this.#recorded = true;
      } catch (error) {
        raiseAlarm(this.#context, 'storeFailed', describeFailure(error));
        return { ok: false, reason: 'storeFailed' };
      }
    }
    try {
      const signature = await signer.sign(listing.bytes);
      const short = withShort ? listing.short : undefined;
      return { ok: true, signature, shortSignature: short && (await signer.sign(short.bytes)) };
    } catch (error) {
      raiseAlarm(this.#context, 'signerFailed', describeFailure(error));
      return { ok: false, reason: 'signerFailed' };
    }
  }
}
