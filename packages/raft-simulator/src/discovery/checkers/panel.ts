import type { PolicyName } from '@discovery-raft/discovery-consensus-fsm';
import type { Journal } from '../../journal.js';
import type { Keyring } from '../crypto/keyring.js';
import type { ListingReader } from '../crypto/listings.js';
import type { DiscoverySimNode } from '../node/discovery-node.js';
import { AcceptedItems } from './accepted-items.js';
import { AskedFor } from './asked-for.js';
import { AttestedItems } from './attested-items.js';
import type { DiscoveryChecker } from './checker.js';
import type { CheckedCommittee, CheckedCommittees } from './committees.js';
import { KnownPackets } from './known-packets.js';
import { NextSlot } from './next-slot.js';
import { NoFailures } from './no-failures.js';
import { OneDirectoryARound } from './one-directory-a-round.js';
import { OneSignatureARound } from './one-signature-a-round.js';
import { OwnItemsListed } from './own-items-listed.js';
import { RootDecides } from './root-decides.js';
import { RoundsGoForward } from './rounds-go-forward.js';
import { SameList } from './same-list.js';
import { ServedDirectories } from './served-directories.js';
import { TimelySignatures } from './timely-signatures.js';

/** All checkers of a simulation. */
export interface DiscoveryPanel {
  readonly checkers: readonly DiscoveryChecker[];
  readonly accepted: AcceptedItems;
}

/** What the checkers look at. */
export interface PanelParts {
  readonly policy: PolicyName;
  readonly committees: CheckedCommittees;
  /** Whose roots decide a round that is created then. */
  readonly committeeAt: (creation: number) => CheckedCommittee;
  readonly ring: Keyring;
  readonly listings: ListingReader;
  readonly nodes: readonly DiscoverySimNode[];
  readonly journal: Journal;
  /** Unix seconds, right time. */
  readonly now: () => number;
  /** For how long a node's clock has not been set, seconds. */
  readonly steadySeconds: (id: string) => number;
}

/** Makes the checkers. `documented` promises less: it lists what is not attested, and asks nobody for its own items. */
export function makeDiscoveryPanel(parts: PanelParts): DiscoveryPanel {
  const { policy, committees, committeeAt, ring, listings, nodes, journal, now, steadySeconds } = parts;
  const safety = (rule: string): ((message: string) => void) => journal.reporter('safety', rule);
  const liveness = (rule: string): ((message: string) => void) => journal.reporter('liveness', rule);
  const honest = nodes.filter((node) => node.honest);
  const packets = new KnownPackets(ring);
  const accepted = new AcceptedItems({
    ...{ packets, ring, listings, honest, committeeAt, now, report: safety('accepted items') },
  });
  const always: DiscoveryChecker[] = [
    new OneDirectoryARound(committees, safety('one directory a round')),
    new RootDecides(committees, safety('the root in force decides')),
    new OneSignatureARound(safety('one signature a round')),
    new AskedFor(safety('signed as asked for')),
    new TimelySignatures(steadySeconds, safety('signed in time')),
    new ServedDirectories({ ring, listings, committees, report: safety('served directories verify') }),
    new RoundsGoForward(safety('rounds go forward')),
    new SameList(safety('same list at an index')),
    new NoFailures(safety('no failures')),
    new NextSlot(honest, committeeAt, liveness('the next slot succeeds')),
  ];
  if (policy === 'documented') return { checkers: always, accepted };
  const byId = new Map(honest.map((node) => [node.id, node]));
  return {
    accepted,
    checkers: [
      ...always,
      new AttestedItems({ packets, committees, report: safety('attested items') }),
      new OwnItemsListed({
        packets,
        node: (id) => byId.get(id),
        now,
        steadySeconds,
        report: safety('own items listed'),
      }),
      accepted,
    ],
  };
}
