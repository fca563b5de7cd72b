import type { Member } from '../config.js';
import { attestationsNeeded, consensusQuorum, type Policy } from './thresholds.js';

/** The discovery nodes of one version of the trust root. */
export interface Roster {
  /** From 1. */
  readonly version: number;
  /** Unix seconds, the begin of a slot: directories created from then on are of these nodes. */
  readonly activation: number;
  /** 1 to 31. */
  readonly members: readonly Member[];
  /** Any text that is another one when packets have to be judged by other authorities. */
  readonly authorities?: string;
}

/** Who decides the rounds in which a roster is in force, and by how many. Immutable. */
export interface Committee {
  readonly version: number;
  readonly members: ReadonlySet<string>;
  /** Countable attestations that make an entry valid. */
  readonly attestationsNeeded: number;
  /** Signatures that make a directory. */
  readonly quorum: number;
}

/** What a listing that this committee decides says of it: nothing for the first trust root, as ever. */
export function rootClaimOf({ version }: Committee): { readonly rootVersion?: number } {
  return version === 1 ? {} : { rootVersion: version };
}

/** The committee of a roster's members under a policy. */
export function committeeOf(version: number, identities: Iterable<string>, policy: Policy): Committee {
  const members = new Set(identities);
  return {
    version,
    members,
    attestationsNeeded: attestationsNeeded(policy, members.size),
    quorum: consensusQuorum(policy, members.size),
  };
}

/** The roster in force at a moment: the newest that was active by then; before all of them, the first. */
export function rosterAt(rosters: readonly Roster[], unixSeconds: number): Roster {
  return rosters.findLast(({ activation }) => activation <= unixSeconds) ?? rosters[0]!;
}

/**
 * Every identity that any roster names, in an order that only ever grows at its end: by the version in which it came, then
 * by name. So nodes that know different numbers of versions never give two identities one place.
 */
export function placesOf(rosters: readonly Roster[]): readonly string[] {
  const places = new Set<string>();
  for (const { members } of rosters) {
    for (const identity of members.map((member) => member.identity).sort()) places.add(identity);
  }
  return [...places];
}
