import { roundOf } from '../calendar.js';
import { nameOf } from '../crypto/packets.js';
import type { DiscoveryChecker, Report, SignedListing } from './checker.js';
import type { CheckedCommittees } from './committees.js';

/**
 * No two different directories of one round have a quorum of signatures, each of the trust root that it names: also not one
 * by the old root and one by the new. Counts every signature that was ever made, by whomever and for whatever purpose,
 * delivered or not.
 */
export class OneDirectoryARound implements DiscoveryChecker {
  readonly #committees: CheckedCommittees;
  readonly #report: Report;
  /** By creation and kind: who signed which digest. */
  readonly #signers = new Map<string, Map<string, { readonly rootVersion: number; readonly by: Set<string> }>>();

  constructor(committees: CheckedCommittees, report: Report) {
    this.#committees = committees;
    this.#report = report;
  }

  listingSigned({ identity, listing: { creation, digest, isShort, rootVersion } }: SignedListing): void {
    const key = `${creation} ${isShort}`;
    let digests = this.#signers.get(key);
    if (digests === undefined)
      this.#signers.set(key, (digests = new Map<string, { rootVersion: number; by: Set<string> }>()));
    let signed = digests.get(digest);
    if (signed === undefined) digests.set(digest, (signed = { rootVersion, by: new Set<string>() }));
    signed.by.add(identity);
    const complete = [...digests].filter(([, of]) => this.#committees.isComplete(of.rootVersion, of.by));
    if (complete.length < 2) return;
    const sets = complete.map(([one, { by }]) => `${one.slice(0, 8)} by ${[...by].map(nameOf).join(' ')}`);
    this.#report(`two directories of round ${roundOf(creation) ?? `at ${creation}`}: ${sets.join(' and ')}`);
  }
}
