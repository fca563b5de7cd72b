import type { Roster } from '@discovery-raft/discovery-consensus-fsm';
import { rosterAt } from '@discovery-raft/discovery-consensus-fsm';
import type { Clock, Logger, Raft, Server, Timer } from '@discovery-raft/raft-core';

/** One step that brings Raft's servers nearer to the nodes of the trust root. */
export type MembershipStep =
  | { readonly kind: 'add' | 'promote' | 'remove'; readonly identity: string }
  /** This leader will be, or is, no node of the root: another one shall lead. */
  | { readonly kind: 'handOver'; readonly identity: string };

/** Pause between two looks. */
const LOOK_EVERY_MS = 1_000;
/** How long a step may take; then it is tried again, or another one is. */
const STEP_TIMEOUT_MS = 30_000;
/** How long a node that is none any more waits to hear of its removal from Raft. */
const REMOVED_GRACE_MS = 10_000;

/**
 * What a leader does next: servers of nodes that are gone leave, nodes to come receive the log already, and get their votes
 * with the root that names them. Null when Raft's servers are the root's nodes.
 *
 * @param rosters what is known, the newest last
 */
export function nextStep(
  self: string,
  servers: readonly Server[],
  rosters: readonly Roster[],
  unixSeconds: number,
): MembershipStep | null {
  const present = namesOf(rosterAt(rosters, unixSeconds));
  const newest = namesOf(rosters.at(-1)!);
  const voters = servers.filter(({ id, suffrage }) => suffrage === 'voter' && id !== self);
  const heir = voters.find(({ id }) => newest.has(id) && present.has(id)) ?? voters.find(({ id }) => newest.has(id));
  if (!newest.has(self) && heir !== undefined) return { kind: 'handOver', identity: heir.id };
  const gone = servers.find(({ id }) => !present.has(id) && !newest.has(id) && id !== self);
  if (gone !== undefined) return { kind: 'remove', identity: gone.id };
  const missing = [...newest].find((identity) => servers.every(({ id }) => id !== identity));
  if (missing !== undefined) return { kind: 'add', identity: missing };
  const waiting = servers.find(({ id, suffrage }) => suffrage !== 'voter' && present.has(id) && newest.has(id));
  return waiting === undefined ? null : { kind: 'promote', identity: waiting.id };
}

/** What {@link RaftMembership} takes. */
export interface RaftMembershipOptions {
  readonly self: string;
  readonly raft: Pick<
    Raft<unknown>,
    'state' | 'getConfiguration' | 'addVoter' | 'addNonvoter' | 'removeServer' | 'leadershipTransfer'
  >;
  /** Known rosters, the newest last. The first is what the cluster was founded with: nothing is done for it alone. */
  readonly rosters: () => readonly Roster[];
  /** Unix seconds. */
  readonly now: () => number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** This node is none of the network any more, and has waited in vain to hear of it from Raft. */
  readonly removed: () => void;
  /** Called at every look: what follows from time and servers may have changed. */
  readonly looked: () => void;
}

/** Has Raft's servers follow the trust root, while this node leads: one step at a time, each looked for anew. */
export class RaftMembership {
  readonly #options: RaftMembershipOptions;
  #timer: Timer | undefined;
  #busy = false;
  #noneSince: number | undefined;
  #stopped = false;

  constructor(options: RaftMembershipOptions) {
    this.#options = options;
  }

  start(): void {
    this.#wait();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #wait(): void {
    this.#timer = this.#options.clock.setTimer(LOOK_EVERY_MS, () => {
      if (this.#stopped) return;
      this.#wait();
      this.#look();
    });
  }

  #look(): void {
    const { raft, rosters, looked } = this.#options;
    looked();
    const known = rosters();
    if (known.length < 2) return;
    this.#lookAtSelf(known);
    if (raft.state === 'leader' && !this.#busy) void this.#step(known);
  }

  #lookAtSelf(known: readonly Roster[]): void {
    const { self, clock, now, removed } = this.#options;
    const isNode = namesOf(rosterAt(known, now())).has(self) || namesOf(known.at(-1)!).has(self);
    if (isNode) {
      this.#noneSince = undefined;
      return;
    }
    this.#noneSince ??= clock.now();
    if (clock.now() - this.#noneSince >= REMOVED_GRACE_MS) removed();
  }

  async #step(known: readonly Roster[]): Promise<void> {
    const { self, raft, now, logger } = this.#options;
    const { servers } = raft.getConfiguration().configuration;
    const step = nextStep(self, servers, known, now());
    if (step === null) return;
    this.#busy = true;
    const { kind, identity } = step;
    logger.info('Raft follows the trust root', { step: kind, identity });
    try {
      await this.#take(step);
    } catch (error) {
      logger.warn('Raft could not follow the trust root yet', { step: kind, identity, error });
    } finally {
      this.#busy = false;
    }
  }

  #take({ kind, identity }: MembershipStep): Promise<unknown> {
    const { raft } = this.#options;
    const options = { timeoutMs: STEP_TIMEOUT_MS };
    switch (kind) {
      case 'add':
        return raft.addNonvoter(identity, identity, options);
      case 'promote':
        return raft.addVoter(identity, identity, options);
      case 'remove':
        return raft.removeServer(identity, options);
      case 'handOver':
        return raft.leadershipTransfer(identity);
    }
  }
}

function namesOf({ members }: Roster): ReadonlySet<string> {
  return new Set(members.map(({ identity }) => identity));
}
