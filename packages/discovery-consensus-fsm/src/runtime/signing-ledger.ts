import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { BuiltListing } from '../policy/listing.js';
import { sameBytes } from '../policy/listing.js';
import type { NoReason } from '../policy/judgement.js';
import type { SignedRound } from '../ports.js';
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

/**
 * Signs listings: at most one a round, and never one of an older round. The promise is durable before the signature
 * exists, so a restart cannot break it. The same listing may be signed again: that says nothing new. The short listing
 * follows from the full one, so the promise not to sign another full one covers it.
 */
export class SigningLedger {
  readonly #context: Context;
  #last: SignedRound | null = null;
  /** Whether `#last` is durable. */
  #recorded = true;
  /** Requests go one after the other, so two cannot both find the round unsigned. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(context: Context) {
    this.#context = context;
  }

  /** The last promise. */
  get last(): SignedRound | null {
    return this.#last;
  }

  /** What the store has from before. */
  restore(signed: SignedRound | null): void {
    this.#last = signed;
  }

  /** Signs the listing of a round, and its short one if asked to, or says why not. */
  sign(round: number, listing: BuiltListing, withShort: boolean): Promise<SigningResult> {
    const result = this.#turn.then(() => this.#sign(round, listing, withShort));
    this.#turn = result;
    return result;
  }

  async #sign(round: number, listing: BuiltListing, withShort: boolean): Promise<SigningResult> {
    const { signer, store } = this.#context.ports;
    const last = this.#last;
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
