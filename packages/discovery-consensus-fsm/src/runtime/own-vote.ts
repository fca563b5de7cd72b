import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { NoReason } from '../policy/judgement.js';
import { voteVerdict } from '../policy/judgement.js';
import type { BuiltListing } from '../policy/listing.js';
import { sameBytes } from '../policy/bytes.js';
import { slotStart } from '../policy/slots.js';
import type { Context } from './context.js';
import { raiseAlarm } from './context.js';
import type { PublishDesk } from './publish-desk.js';
import { DROPPED, inSlices } from './slices.js';
import type { SigningLedger } from './signing-ledger.js';

/** This node's word on a listing. */
export type OwnDecision =
  | {
      readonly yes: true;
      readonly signature: DiscoverySignature;
      /** Over the short listing, when there is one and the leader has the same. */
      readonly shortSignature: DiscoverySignature | undefined;
    }
  | { readonly yes: false; readonly reason: NoReason };

/** Decides by the policy whether this node signs a listing that it built itself, and signs it. */
export class OwnVote {
  readonly #context: Context;
  readonly #desk: PublishDesk;
  readonly #ledger: SigningLedger;

  constructor(context: Context, desk: PublishDesk, ledger: SigningLedger) {
    this.#context = context;
    this.#desk = desk;
    this.#ledger = ledger;
  }

  /** Whether it is this listing that was signed in the round: a newer trust root makes another one of the same list. */
  hasSigned(round: number, { digest }: BuiltListing): boolean {
    const { last } = this.#ledger;
    return last?.round === round && sameBytes(last.digest, digest);
  }

  /**
   * @param rootVersion of the trust root whose nodes decide the round
   * @param listing what this node built
   * @param leaderDigest what the leader asks to be signed; undefined when this node leads. A leader does not suspect
   * itself: entries of its own that the others have not attested must not keep everybody else's from being published.
   * @param shortDigest the leader's for the short listing; another one than this node's costs that signature only
   * @param isDropped asked before anything is promised: whether the round is over here
   */
  async decide(
    round: number,
    rootVersion: number,
    listing: BuiltListing,
    leaderDigest?: Uint8Array,
    shortDigest?: Uint8Array,
    isDropped: () => boolean = () => false,
  ): Promise<OwnDecision> {
    const { config, policy, time } = this.#context;
    const creation = slotStart(config, round);
    const attestedBy = time.elapsedAt(creation - config.ownEntryGraceSeconds);
    const share =
      leaderDigest === undefined
        ? { own: 0, listed: 0 }
        : await inSlices(this.#context, this.#desk.own.share(listing.listed, { creation, attestedBy }), isDropped);
    if (share === DROPPED || isDropped()) return { yes: false, reason: 'staleRound' };
    const { own, listed } = share;
    const verdict = voteVerdict(policy, {
      digestMatches: leaderDigest === undefined || sameBytes(listing.digest, leaderDigest),
      entries: listing.entries,
      validEntries: listing.validEntries,
      ownEntries: own,
      ownEntriesListed: listed,
    });
    if (!verdict.yes) {
      if (verdict.reason === 'ownEntriesMissing') {
        raiseAlarm(this.#context, 'entriesOmitted', `round ${round}: ${listed} of ${own} are listed`);
      }
      return verdict;
    }
    const withShort =
      leaderDigest === undefined ||
      (shortDigest !== undefined && listing.short !== undefined && sameBytes(shortDigest, listing.short.digest));
    const signed = await this.#ledger.sign(round, rootVersion, listing, withShort);
    if (!signed.ok) return { yes: false, reason: signed.reason };
    return { yes: true, signature: signed.signature, shortSignature: signed.shortSignature };
  }
}
