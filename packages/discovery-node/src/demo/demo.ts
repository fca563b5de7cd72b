import type { PublishCode } from '@discovery-raft/discovery-consensus-fsm';
import type { Random } from '@discovery-raft/raft-core';
import { verifyDirectory, type RefusedDirectory, type VerifiedDirectory } from '@discovery-raft/discovery-client';
import { NodeError } from '../errors.js';
import { ENHANCE_AFTER_SECONDS, leaderOf, type DemoNetwork, type DemoNode } from './network.js';
import { trialItem, type Plan, type PlannedItem, type PlannedRound } from './plan.js';
import type { Progress } from './progress.js';
import { Reference, type EncodedItem } from './reference.js';
import { createPublisher, encodeItem, signPlanned, type Publication, type Publisher } from './publisher.js';
import { Truth } from './truth.js';
import { until } from './until.js';

/** Relays that publish at the same time. */
const CONCURRENT_PUBLISHERS = 128;
/** Seconds of the day that pass in a real second while the demonstration waits. */
const WALL_SPEED = 10;
/** How long a step may take in real time before the demonstration gives up, milliseconds. */
const PATIENCE_MS = 600_000;
/** A leader that has been idle for so long, by the network's working time, will not begin this slot's round any more. */
const IDLE_MS = 3000;

/** What a day brought. */
export interface DemoResult {
  /** Items in the last directory. */
  readonly items: number;
  /** Items that were published over the day. */
  readonly published: number;
  /** Rounds that ended with a directory. */
  readonly rounds: number;
  /** Rounds that ended without one, such as when their leader changed; the next slot makes up for it. */
  readonly missed: number;
  /** Signatures that held, of each round's directory. */
  readonly signatures: readonly number[];
  /** Whether a client could verify every directory against its trust root, and the last round ended with one. */
  readonly verified: boolean;
  /** From the begin of a slot until every node serves its directory; the median of the rounds, milliseconds. */
  readonly roundMs: number;
  /** From the end of the leader to the first publish that the next one accepted, milliseconds. */
  readonly failoverMs: number;
  /** From the start of the ended leader until it had applied what the others had; null where it stays away. */
  readonly catchUpMs: number | null;
  /** Items accepted, valid, and missing in a directory; summed over the rounds. */
  readonly lost: number;
  /** Items listed that should not be, or not so; summed over the rounds. */
  readonly wrong: number;
  /** Directories that were compared with the reference: of every round that ended with one, that of every node. */
  readonly compared: number;
  /** How many of them were the reference byte for byte. */
  readonly identical: number;
}

/** A day in the life of a network: it plays the relays and a client, and keeps the books. */
export class Demo {
  readonly #network: DemoNetwork;
  readonly #plan: Plan;
  readonly #progress: Progress;
  readonly #random: Random;
  readonly #truth = new Truth();
  readonly #trial: PlannedItem;
  readonly #reference: Reference;
  readonly #publishers = new Map<string, Publisher>();
  readonly #signatures: number[] = [];
  readonly #roundMs: number[] = [];
  #now: number;
  #published = 0;
  #refused = 0;
  #missed = 0;
  /** Whether the newest round ended with a directory. */
  #ended = false;
  #lost = 0;
  #wrong = 0;
  #items = 0;
  #compared = 0;
  #identical = 0;

  constructor(network: DemoNetwork, plan: Plan, progress: Progress, random: Random) {
    this.#network = network;
    this.#now = plan.startAt;
    this.#plan = plan;
    this.#progress = progress;
    this.#random = random;
    this.#trial = trialItem(plan);
    const version = network.root.profile.discoveryVersion;
    const encode = (item: PlannedItem): EncodedItem => {
      const publisher = this.#publisherOf(item);
      return { identity: publisher.identity.text, bytes: encodeItem(publisher, item, version) };
    };
    this.#reference = new Reference(plan, this.#trial, encode, version);
  }

  async run(): Promise<DemoResult> {
    const [first, ...later] = this.#plan.rounds;
    this.#progress.phase('nodes start, and elect a leader');
    await this.#network.start();
    await this.#until('a leader', async () => (await leaderOf(this.#network)) !== undefined, first!.at - 1);
    this.#progress.phase('relays publish themselves', first!.items.length);
    await this.#publishAll(first!.items, first!.at, (done) => this.#progress.step(done));
    this.#progress.phase('first round');
    await this.#round(first!);
    this.#progress.phase('the leader ends; another takes the list over');
    const failoverMs = await this.#failOver(this.#trial);
    const catchUpMs = await this.#churn(later, Math.ceil(later.length / 2));
    this.#progress.end();
    return {
      items: this.#items,
      published: this.#published,
      rounds: this.#signatures.length,
      missed: this.#missed,
      signatures: this.#signatures,
      roundMs: Math.round(this.#roundMs.toSorted((a, b) => a - b)[this.#roundMs.length >> 1] ?? NaN),
      verified: this.#ended && this.#refused === 0,
      failoverMs,
      catchUpMs,
      lost: this.#lost,
      wrong: this.#wrong,
      compared: this.#compared,
      identical: this.#identical,
    };
  }

  /** The day after the first round; before round `revival`, the node that was ended comes back. */
  async #churn(rounds: readonly PlannedRound[], revival: number): Promise<number | null> {
    let catchUpMs: number | null = null;
    this.#progress.phase('a day of churn, a round an hour', rounds.length);
    for (const [i, round] of rounds.entries()) {
      if (i === revival) catchUpMs = await this.#revive();
      await this.#publishAll(round.items, round.at);
      await this.#round(round);
      this.#progress.step(i + 1);
    }
    return catchUpMs;
  }

  /** Every relay publishes to all nodes or to just one, and waits until it is told that its item is in the list. */
  async #publishAll(
    items: readonly PlannedItem[],
    roundAt: number,
    step: (done: number) => void = () => {},
  ): Promise<void> {
    let next = 0;
    let done = 0;
    const work = async (): Promise<void> => {
      while (next < items.length) {
        const item = items[next++]!;
        await this.#jumpTo(item.publishAt);
        await this.#publish(item);
        step(++done);
      }
    };
    const workers = Promise.all(Array.from({ length: CONCURRENT_PUBLISHERS }, work));
    let finished = false;
    const finish = (): void => {
      finished = true;
    };
    workers.then(finish, finish);
    await this.#until('the relays to publish', () => finished, roundAt - 60);
    await workers;
    // What went to one node only, the leader shows to the others as soon as it has stood alone for a while.
    await this.#jumpTo(this.#now + ENHANCE_AFTER_SECONDS);
    await this.#until('the attestations', () => this.#attested(), roundAt - 60);
  }

  async #publish(planned: PlannedItem): Promise<void> {
    const publication = this.#sign(planned);
    // The one that came first to a new leader is in the list already.
    if (this.#truth.has(publication)) return;
    const { nodes } = this.#network;
    const toAll = this.#random.next() < 0.5;
    const targets = toAll ? nodes : [nodes[Math.floor(this.#random.next() * nodes.length)]!];
    const codes = await Promise.all(targets.map((node) => publishTo(node, planned, publication)));
    const refused = codes.find((code) => code !== 'accepted');
    if (refused !== undefined)
      throw new NodeError('NODE_DEMO_STALLED', `a relay's item was refused: ${refused}`, {
        identity: publication.identity,
      });
    this.#accepted(publication);
  }

  #accepted(publication: Publication): void {
    this.#published++;
    this.#truth.add(publication);
  }

  #sign(planned: PlannedItem): Publication {
    return signPlanned(this.#publisherOf(planned), planned, this.#network.root.profile);
  }

  #publisherOf({ relay }: PlannedItem): Publisher {
    const known = this.#publishers.get(relay.fingerprint);
    if (known !== undefined) return known;
    const { root, authorities, notBefore, notAfter } = this.#network;
    const publisher = createPublisher(relay, { profile: root.profile, authorities, notBefore, notAfter });
    this.#publishers.set(relay.fingerprint, publisher);
    return publisher;
  }

  /** Whether every node's list is the same, and nothing in it waits for attestations. */
  async #attested(): Promise<boolean> {
    const lists = await Promise.all(this.#network.nodes.map(async (node) => (await node.status()).list));
    return lists.every(({ pending, records }) => pending === 0 && records === lists[0]!.records);
  }

  /** Waits for the round of a slot, and judges its directory as a client would. */
  async #round(planned: PlannedRound): Promise<void> {
    const began = performance.now();
    await this.#jumpTo(planned.at);
    this.#ended = await this.#roundEnds(planned.at);
    if (!this.#ended) {
      this.#missed++;
      this.#progress.note(`the slot of ${new Date(planned.at * 1000).toISOString()} ended without a directory`);
      return;
    }
    this.#roundMs.push(performance.now() - began);
    const { nodes, root } = this.#network;
    const pulled = await Promise.all(nodes.map((node) => node.pull()));
    const chosen = pulled[Math.floor(this.#random.next() * nodes.length)]!;
    this.#judge(await verifyDirectory(chosen, { root, atSeconds: this.#now }));
    const expected = this.#reference.listingOf(this.#plan.rounds.indexOf(planned));
    this.#compared += pulled.length;
    this.#identical += pulled.filter(({ directory }) => Buffer.compare(directory, expected) === 0).length;
  }

  #judge(directory: VerifiedDirectory | RefusedDirectory): void {
    if (!directory.ok) {
      this.#refused++;
      this.#progress.note(`a directory is not to be believed: ${directory.code}, ${directory.detail}`);
      return;
    }
    const { lost, wrong } = this.#truth.compare(directory);
    this.#lost += lost;
    this.#wrong += wrong;
    this.#items = directory.items.length;
    this.#signatures.push(directory.signers.length);
  }

  /** Whether every node comes to serve the directory of a slot; false once the leader has been idle without it. */
  async #roundEnds(at: number): Promise<boolean> {
    let everywhere = false;
    let idleSince = Infinity;
    await this.#until(
      'the round to end',
      async () => {
        const statuses = await Promise.all(this.#network.nodes.map((node) => node.status()));
        everywhere = statuses.every(({ directory }) => directory?.creation === at);
        const idle = statuses.some(({ consensus }) => consensus.state === 'LeaderRunning');
        idleSince = idle ? Math.min(idleSince, this.#network.workedMs()) : Infinity;
        return everywhere || this.#network.workedMs() - idleSince > IDLE_MS;
      },
      at + 600,
    );
    return everywhere;
  }

  /** Ends the leader, and publishes at the next one until that accepts. @returns milliseconds */
  async #failOver(planned: PlannedItem): Promise<number> {
    let old: DemoNode | undefined;
    const find = async (): Promise<boolean> => (old = (await leaderOf(this.#network))?.node) !== undefined;
    await until('a leader to end', find, { limitMs: PATIENCE_MS });
    const publication = this.#sign(planned);
    const began = performance.now();
    await this.#network.end(old!);
    const accepts = async (): Promise<boolean> => {
      const leader = await leaderOf(this.#network);
      if (leader === undefined) return false;
      const code = await publishTo(leader.node, planned, publication);
      return code === 'accepted' || code === 'notNewer';
    };
    await until('another leader to accept a publish', accepts, { limitMs: PATIENCE_MS, everyMs: 2 });
    this.#accepted(publication);
    return Math.round(performance.now() - began);
  }

  /** Brings the ended node back. @returns milliseconds until it has what the others have; null when it stays away */
  async #revive(): Promise<number | null> {
    const leader = await leaderOf(this.#network);
    const { commitIndex } = (leader?.status ?? (await this.#network.nodes[0]!.status())).raft;
    const began = performance.now();
    if (!(await this.#network.revive())) return null;
    const caughtUp = async (): Promise<boolean> => {
      const statuses = await Promise.all(this.#network.nodes.map((node) => node.status()));
      return statuses.every(({ raft }) => raft.appliedIndex >= commitIndex);
    };
    await this.#until('the ended node to catch up', caughtUp, this.#now + 600);
    return Math.round(performance.now() - began);
  }

  async #jumpTo(unixSeconds: number): Promise<void> {
    if (unixSeconds <= this.#now) return;
    this.#now = unixSeconds;
    await this.#network.setTime(unixSeconds);
  }

  /** Waits while the day goes on, but not past `untilSeconds`. */
  async #until(what: string, condition: () => boolean | Promise<boolean>, untilSeconds: number): Promise<void> {
    let last = this.#network.workedMs();
    await until(what, condition, {
      limitMs: PATIENCE_MS,
      everyMs: 10,
      tick: (elapsedMs) => {
        const worked = this.#network.workedMs();
        const passedMs = Math.min(elapsedMs, worked - last);
        last = worked;
        return this.#jumpTo(Math.min(untilSeconds, this.#now + (passedMs / 1000) * WALL_SPEED));
      },
    });
  }
}

async function publishTo(
  node: DemoNode,
  { relay }: PlannedItem,
  { packet }: Publication,
): Promise<PublishCode | 'unknownCode'> {
  return (await node.publish(relay.address[0] ?? relay.fingerprint, packet)).code;
}
