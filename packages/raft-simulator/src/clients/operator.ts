import type { LogIndex, MembershipOptions, Raft, Server, ServerId, Suffrage } from '@discovery-raft/raft-core';
import type { Promises } from '../checkers/promises.js';
import { addressOf } from '../network/sim-network.js';
import type { Previous } from '../node/register-machine.js';
import type { Incarnation, SimNode } from '../node/sim-node.js';
import type { Dice } from '../scenario/dice.js';
import type { VirtualClock } from '../time/virtual-clock.js';
import type { Change } from './change.js';

/** Fewer voters than these are not left over on purpose, so that the cluster goes on changing. */
const FEWEST_VOTERS = 2;

/** How long the removal of a server that stopped for good may take before it is asked for again. */
const REPLACE_WITHIN_MS = 1000;

/** What the operator asks the simulation to do. */
export interface OperatorHands {
  /** Starts a spare server, with its empty disk. */
  join(node: SimNode): void;
  /** A change was acknowledged at `index`; `prevIndex` is the configuration that it was to follow, 0 for any. */
  changed(change: Change, index: LogIndex, prevIndex: LogIndex): void;
  /** Whether the state of the cluster is being replaced: then servers may be ruined, and none must be taken away. */
  mustWait(): boolean;
  note(what: string, detail: string): void;
}

/** Who changes the membership: adds spare servers, gives and takes votes, removes servers, replaces them all. */
export class Operator {
  readonly #world: VirtualClock;
  readonly #dice: Dice;
  readonly #nodes: readonly SimNode[];
  readonly #everyMs: number;
  readonly #promises: Promises;
  readonly #hands: OperatorHands;
  /** Whose removal was asked for: they are never added again, since a name is for one life. */
  readonly #retired = new Set<ServerId>();
  #over = false;

  constructor(parts: {
    world: VirtualClock;
    dice: Dice;
    nodes: readonly SimNode[];
    everyMs: number;
    promises: Promises;
    hands: OperatorHands;
  }) {
    this.#world = parts.world;
    this.#dice = parts.dice;
    this.#nodes = parts.nodes;
    this.#everyMs = parts.everyMs;
    this.#promises = parts.promises;
    this.#hands = parts.hands;
  }

  start(): void {
    if (this.#everyMs === 0) return;
    this.#world.schedule(this.#dice.exponential(this.#everyMs), () => {
      if (this.#over) return;
      if (!this.#hands.mustWait()) this.#act();
      this.start();
    });
  }

  /** Asks for nothing more. */
  stop(): void {
    this.#over = true;
  }

  /** Whether anybody has asked that this server be removed. */
  hasRetired(id: ServerId): boolean {
    return this.#retired.has(id);
  }

  /** Makes a spare server a voter, through this leader. @returns null when there is no spare one */
  grow(leader: SimNode): Promise<unknown> | null {
    const spare = this.#nodes.find(({ part }) => part === 'spare');
    if (spare === undefined || leader.running === null) return null;
    this.#hands.join(spare);
    return this.#ask(leader, leader.running.process, leader.running.raft, { kind: 'addVoter', id: spare.id }, {});
  }

  /**
   * Replaces a server that can never come back: has it removed, and a spare one made a voter, if there is one. Under its own
   * name it must not begin anew, since it would have forgotten its votes and what it acknowledged.
   */
  async replaceRuined(leader: SimNode, id: ServerId): Promise<void> {
    const { running } = leader;
    if (running === null) return;
    // The process that is asked may die, and never answer.
    const options = { timeoutMs: REPLACE_WITHIN_MS };
    await this.#ask(leader, running.process, running.raft, this.#retire(id), options);
    await this.grow(leader);
  }

  #act(): void {
    const up = this.#nodes.filter(({ raft }) => raft !== null);
    const leaders = up.filter(({ raft }) => raft!.state === 'leader');
    const asked = leaders.length > 0 && this.#dice.chance(0.95) ? leaders : up;
    if (asked.length === 0) return;
    const node = this.#dice.pick(asked);
    // Sometimes two at once: the second one has to wait for the first.
    const changes = this.#dice.chance(0.25) ? 2 : 1;
    for (let i = 0; i < changes && node.running !== null; i++) {
      const { process, raft } = node.running;
      const { index, configuration } = raft.getConfiguration();
      const change = this.#draw(node.id, configuration.servers);
      if (change === null) continue;
      const options: { timeoutMs?: number; prevIndex?: number } = {};
      if (this.#dice.chance(0.3)) options.timeoutMs = this.#dice.pick([50, 500, 3000]);
      if (this.#dice.chance(0.2)) options.prevIndex = index;
      void this.#ask(node, process, raft, change, options)?.catch(() => undefined);
    }
  }

  #draw(asked: ServerId, servers: readonly Server[]): Change | null {
    const dice = this.#dice;
    const of = (suffrage: Suffrage): Server[] => servers.filter((server) => server.suffrage === suffrage);
    const [voters, nonvoters] = [of('voter'), of('nonvoter').filter(({ id }) => !this.#retired.has(id))];
    const spare = this.#nodes.find(({ part }) => part === 'spare');
    const canLose = voters.length > FEWEST_VOTERS;
    // It does not know of any cluster yet.
    if (voters.length === 0) return null;
    switch (dice.pick(['join', 'join', 'promote', 'demote', 'remove', 'remove', 'resign', 'replace'] as const)) {
      case 'join':
        if (spare === undefined) return null;
        this.#hands.join(spare);
        return { kind: dice.chance(0.6) ? 'addVoter' : 'addNonvoter', id: spare.id };
      case 'promote':
        return nonvoters.length === 0 ? null : { kind: 'addVoter', id: dice.pick(nonvoters).id };
      case 'demote':
        return canLose ? { kind: 'demoteVoter', id: dice.pick(voters).id } : null;
      case 'remove': {
        const { id } = dice.pick(canLose ? servers : [...of('nonvoter'), ...of('staging'), ...voters.slice(0, 1)]);
        return canLose || voters.every((voter) => voter.id !== id) ? this.#retire(id) : null;
      }
      case 'resign':
        return canLose && voters.some(({ id }) => id === asked) ? this.#retire(asked) : null;
      case 'replace':
        return this.#drawReplacement(servers);
    }
  }

  #retire(id: ServerId): Change {
    this.#retired.add(id);
    return { kind: 'removeServer', id };
  }

  /** Other members at once: all of them new ones, if there are enough, or a mixture. */
  #drawReplacement(servers: readonly Server[]): Change | null {
    const dice = this.#dice;
    const spares = this.#nodes.filter(({ part }) => part === 'spare');
    const kept = servers.filter(({ id }) => !this.#retired.has(id));
    const all = spares.length >= FEWEST_VOTERS && dice.chance(0.4);
    const joining = all ? spares : spares.filter(() => dice.chance(0.4));
    const staying = all ? [] : kept.filter(() => dice.chance(0.75));
    const next = [
      ...staying.map((server) => (dice.chance(0.2) ? withVote(server, dice.chance(0.6)) : server)),
      ...joining.map(({ id }) => ({ id, address: addressOf(id), suffrage: 'voter' }) as const),
    ];
    if (next.filter(({ suffrage }) => suffrage === 'voter').length < FEWEST_VOTERS) return null;
    for (const node of joining) this.#hands.join(node);
    for (const { id } of servers) if (next.every((server) => server.id !== id)) this.#retired.add(id);
    return { kind: 'replace', servers: next };
  }

  #ask(
    { id }: SimNode,
    process: Incarnation,
    raft: Raft<Previous>,
    change: Change,
    options: MembershipOptions,
  ): Promise<unknown> | null {
    const what =
      change.kind === 'replace'
        ? `replace ${change.servers.map((server) => `${server.id} ${server.suffrage}`).join(', ')}`
        : `${change.kind} ${change.id}`;
    this.#hands.note('change', `${what}, at ${id}`);
    let answer: Promise<LogIndex> | null = null;
    process.clock.run(() => {
      answer = call(raft, change, options);
      this.#promises.watch(process, `${what} at ${id}`, this.#world.now, answer);
      answer.then(
        (index) => {
          this.#hands.note('changed', what);
          this.#hands.changed(change, index, options.prevIndex ?? 0);
        },
        (error: unknown) => this.#hands.note('not changed', `${what}: ${error instanceof Error ? error.message : ''}`),
      );
    });
    return answer;
  }
}

function withVote(server: Server, votes: boolean): Server {
  return { ...server, suffrage: votes ? 'voter' : 'nonvoter' };
}

function call(raft: Raft<Previous>, change: Change, options: MembershipOptions): Promise<LogIndex> {
  switch (change.kind) {
    case 'addVoter':
    case 'addNonvoter':
      return raft[change.kind](change.id, addressOf(change.id), options);
    case 'demoteVoter':
    case 'removeServer':
      return raft[change.kind](change.id, options);
    case 'replace':
      return raft.changeMembership(change.servers, options);
  }
}
