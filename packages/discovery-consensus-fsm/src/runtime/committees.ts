import { committeeOf, placesOf, rosterAt, type Committee, type Roster } from '../policy/committee.js';
import type { Policy } from '../policy/thresholds.js';
import type { RosterSource, Unsubscribe } from '../ports.js';

/** What {@link Committees} takes. */
export interface CommitteesOptions {
  readonly self: string;
  readonly policy: Policy;
  readonly rosters: RosterSource;
  /** Unix seconds. */
  readonly now: () => number;
}

/** Who decides which round. The committee of a round follows from its creation time alone. */
export class Committees {
  readonly #options: CommitteesOptions;
  readonly #made = new Map<number, Committee>();
  #known: { readonly from: Roster; readonly newest: Roster; readonly identities: ReadonlySet<string> } | undefined;

  constructor(options: CommitteesOptions) {
    this.#options = options;
  }

  /** The committee of a round that begins then, Unix seconds. */
  at(creation: number): Committee {
    return this.#committee(rosterAt(this.#rosters, creation));
  }

  /** The committee in force at this moment. */
  get present(): Committee {
    return this.#committee(this.#inForce);
  }

  /**
   * Who may take part at this moment: the members in force, and those of rosters that are to come, who already attest and
   * receive what there is. The same object until that changes.
   */
  get known(): ReadonlySet<string> {
    const rosters = this.#rosters;
    const from = this.#inForce;
    const newest = rosters.at(-1)!;
    if (this.#known?.from !== from || this.#known.newest !== newest) {
      const named = rosters.slice(rosters.indexOf(from)).flatMap(({ members }) => members);
      this.#known = { from, newest, identities: new Set(named.map(({ identity }) => identity)) };
    }
    return this.#known.identities;
  }

  /** All of {@link Committees.known} but this node. */
  get others(): readonly string[] {
    return [...this.known].filter((identity) => identity !== this.#options.self);
  }

  /** This node's number among all nodes there ever were; another one than any other node's. */
  get ownPlace(): number {
    const places = placesOf(this.#rosters);
    const place = places.indexOf(this.#options.self);
    return place < 0 ? places.length : place;
  }

  /** The fingerprint that the roster in force names for a member. */
  fingerprintOf(identity: string): string | undefined {
    const { members } = this.#inForce;
    return members.find((member) => member.identity === identity)?.fingerprint;
  }

  /** Authorities that the newest roster has; see `Roster.authorities`. */
  get newestAuthorities(): string | undefined {
    return this.#rosters.at(-1)!.authorities;
  }

  /** A peer decides by a newer roster than is here. */
  missing(peer: string, version: number): void {
    this.#options.rosters.missing(peer, version);
  }

  /** A peer lacks rosters that are here. */
  outdated(peer: string, version: number): void {
    this.#options.rosters.outdated(peer, version);
  }

  /** There is a newer roster. */
  onChanged(listener: () => void): Unsubscribe {
    return this.#options.rosters.onChanged(listener);
  }

  /** The roster in force at this moment. It is asked for with each publish, so the clock is only read where there are several. */
  get #inForce(): Roster {
    const rosters = this.#rosters;
    return rosters.length === 1 ? rosters[0]! : rosterAt(rosters, this.#options.now());
  }

  get #rosters(): readonly Roster[] {
    return this.#options.rosters.rosters();
  }

  #committee({ version, members }: Roster): Committee {
    let committee = this.#made.get(version);
    if (committee === undefined) {
      const identities = members.map(({ identity }) => identity);
      committee = committeeOf(version, identities, this.#options.policy);
      this.#made.set(version, committee);
    }
    return committee;
  }
}

/** A roster that never changes. */
export function fixedRoster(members: Roster['members']): RosterSource {
  const rosters: readonly Roster[] = [{ version: 1, activation: 0, members }];
  return {
    rosters: () => rosters,
    onChanged: () => () => undefined,
    missing: () => undefined,
    outdated: () => undefined,
  };
}
