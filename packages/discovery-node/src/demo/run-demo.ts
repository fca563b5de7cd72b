import type { PublishCode } from '@discovery-raft/discovery-consensus-fsm';
import { seededRandom, type Logger, type Random } from '@discovery-raft/raft-core';
import { verifyDirectory, type RefusedDirectory, type VerifiedDirectory } from '../directory/verify-directory.js';
import { NodeError } from '../errors.js';
import type { DiscoveryNode } from '../node/discovery-node.js';
import { ManualWallClock } from '../time/wall-clock.js';
import { DemoNetwork, ENHANCE_AFTER_SECONDS } from './demo-network.js';
import { planDay, type Plan, type PlannedItem, type PlannedRound } from './plan.js';
import { silentProgress, type Progress } from './progress.js';
import { createPublisher, signItem, type Publication, type Publisher } from './publisher.js';
import { loadTrace } from './relays.js';
import { Truth } from './truth.js';
import { until } from './until.js';

/** Relays that publish at the same time. */
const CONCURRENT_PUBLISHERS = 128;
/** Seconds of the day that pass in a real second while the demonstration waits. */
const WALL_SPEED = 10;
/** How long a step may take in real time before the demonstration gives up, milliseconds. */
const PATIENCE_MS = 300_000;
/** A leader that has been idle for so long in real time will not begin this slot's round any more. */
const IDLE_MS = 3000;

/** What to demonstrate. */
export interface DemoOptions {
  /** Folder with the relays and their churn. */
  readonly dataFolder: string;
  /** Discovery nodes, 3 to 11; default 3. */
  readonly nodes?: number;
  /** Only the first so many relays; default all. */
  readonly relays?: number;
  /** Hours of churn to replay, 1 to 24; default 24. */
  readonly hours?: number;
  /** Decides who publishes where; default 1. */
  readonly seed?: number;
  readonly progress?: Progress;
  readonly logger?: Logger;
}

/** What came of it. */
export interface DemoSummary {
  readonly nodes: number;
  /** Items in the last directory. */
  readonly items: number;
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
  /** From the stop of the leader to the first write that the next one could make. */
  readonly failoverMs: number;
  /** Items accepted, valid, and missing in a directory; summed over the rounds. */
  readonly lost: number;
  /** Items listed that should not be, or not so; summed over the rounds. */
  readonly wrong: number;
  readonly seconds: number;
  readonly peakRssMb: number;
}

/**
 * The main job: discovery nodes, thousands of real relays that publish themselves, rounds, the end of a leader, and a day
 * of churn; every directory is pulled and verified as a client would, and compared with what the publishers know.
 *
 * @throws NodeError NODE_INVALID_OPTION, NODE_DATA_UNREADABLE, NODE_DEMO_STALLED
 */
export async function runDemo(options: DemoOptions): Promise<DemoSummary> {
  const began = performance.now();
  const { nodes = 3, seed = 1, hours = 24, progress = silentProgress } = options;
  checkRange('nodes', nodes, 3, 11);
  checkRange('hours', hours, 1, 24);
  if (options.relays !== undefined) checkRange('relays', options.relays, 1, 1_000_000);
  const trace = await loadTrace(options.dataFolder, options.relays);
  const plan = planDay(trace, hours);
  const wallClock = new ManualWallClock(plan.startAt);
  const network = new DemoNetwork({ nodes, seed, wallClock, ...(options.logger ? { logger: options.logger } : {}) });
  const demo = new Demo(network, wallClock, plan, progress, seededRandom(seed));
  try {
    const result = await demo.run();
    const peakRssMb = Math.round(process.resourceUsage().maxRSS / 1024);
    return { nodes, ...result, seconds: Math.round((performance.now() - began) / 100) / 10, peakRssMb };
  } finally {
    progress.end();
    await network.stop();
  }
}

function checkRange(option: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw new NodeError(
    'NODE_INVALID_OPTION',
    `${option} must be a whole number from ${least} to ${most}, not ${value}`,
    { option },
  );
}

class Demo {
  readonly #network: DemoNetwork;
  readonly #wallClock: ManualWallClock;
  readonly #plan: Plan;
  readonly #progress: Progress;
  readonly #random: Random;
  readonly #truth = new Truth();
  readonly #publishers = new Map<string, Publisher>();
  readonly #signatures: number[] = [];
  readonly #roundMs: number[] = [];
  #refused = 0;
  #missed = 0;
  /** Whether the newest round ended with a directory. */
  #ended = false;
  #lost = 0;
  #wrong = 0;
  #items = 0;

  constructor(network: DemoNetwork, wallClock: ManualWallClock, plan: Plan, progress: Progress, random: Random) {
    this.#network = network;
    this.#wallClock = wallClock;
    this.#plan = plan;
    this.#progress = progress;
    this.#random = random;
  }

  async run(): Promise<Omit<DemoSummary, 'nodes' | 'seconds' | 'peakRssMb'>> {
    const [first, ...later] = this.#plan.rounds;
    this.#progress.phase('nodes start, and elect a leader');
    await this.#network.start();
    await this.#until('a leader', () => this.#network.leader !== undefined, this.#plan.rounds[0]!.at - 1);
    this.#progress.phase('relays publish themselves', first!.items.length);
    await this.#publishAll(first!.items, first!.at, (done) => this.#progress.step(done));
    this.#progress.phase('first round');
    await this.#round(first!);
    this.#progress.phase('the leader stops; another takes the list over');
    const failoverMs = await this.#failOver();
    this.#progress.phase('a day of churn, a round an hour', later.length);
    for (const [i, round] of later.entries()) {
      await this.#publishAll(round.items, round.at);
      await this.#round(round);
      this.#progress.step(i + 1);
    }
    this.#progress.end();
    return {
      items: this.#items,
      rounds: this.#signatures.length,
      missed: this.#missed,
      signatures: this.#signatures,
      roundMs: Math.round(this.#roundMs.toSorted((a, b) => a - b)[this.#roundMs.length >> 1] ?? NaN),
      verified: this.#ended && this.#refused === 0,
      failoverMs,
      lost: this.#lost,
      wrong: this.#wrong,
    };
  }

  /** Every relay publishes to all nodes or to just one, and waits until it is told that its item is in the list. */
  async #publishAll(
    items: readonly PlannedItem[],
    roundAt: number,
    step: (done: number) => void = () => {},
  ): Promise<void> {
    let next = 0;
    let done = 0;
    const publications: Publication[] = [];
    const work = async (): Promise<void> => {
      while (next < items.length) {
        const item = items[next++]!;
        this.#wallClock.jumpTo(item.publishAt);
        publications.push(await this.#publish(item));
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
    this.#wallClock.jumpTo(this.#wallClock.now() + ENHANCE_AFTER_SECONDS);
    await this.#until('the attestations', () => this.#attested(publications), roundAt - 60);
  }

  async #publish(planned: PlannedItem): Promise<Publication> {
    const publisher = this.#publisherOf(planned);
    const publication = signItem(publisher, planned, this.#network.root.profile.discoveryVersion);
    const { nodes } = this.#network;
    const toAll = this.#random.next() < 0.5;
    const targets = toAll ? nodes : [nodes[Math.floor(this.#random.next() * nodes.length)]!];
    const codes = await Promise.all(targets.map((node) => this.#publishTo(node, planned, publication)));
    const refused = codes.find((code) => code !== 'accepted');
    if (refused !== undefined)
      throw new NodeError('NODE_DEMO_STALLED', `a relay's item was refused: ${refused}`, {
        identity: publication.identity,
      });
    this.#truth.add(publication);
    return publication;
  }

  async #publishTo(
    node: DiscoveryNode,
    { relay }: PlannedItem,
    publication: Publication,
  ): Promise<PublishCode | 'unknownCode'> {
    const client = this.#network.connect(node, relay.address[0] ?? relay.fingerprint);
    try {
      return (await client.publish(publication.packet)).code;
    } finally {
      client.close();
    }
  }

  #publisherOf({ relay }: PlannedItem): Publisher {
    const known = this.#publishers.get(relay.fingerprint);
    if (known !== undefined) return known;
    const { root, authorities, notBefore, notAfter } = this.#network;
    const publisher = createPublisher(relay, { profile: root.profile, authorities, notBefore, notAfter });
    this.#publishers.set(relay.fingerprint, publisher);
    return publisher;
  }

  /** Whether every node's list holds these items with enough attestations for the listing. */
  #attested(publications: readonly Publication[]): boolean {
    const needed = Math.ceil(this.#network.root.discoveryNodes.size / 2);
    return this.#network.nodes.every(({ list }) =>
      publications.every(({ identity, expiration }) =>
        list.get(identity).some((record) => record.expiration >= expiration && record.attestations.length >= needed),
      ),
    );
  }

  /** Waits for the round of a slot, and judges its directory as a client would. */
  async #round(planned: PlannedRound): Promise<void> {
    const began = performance.now();
    this.#wallClock.jumpTo(planned.at);
    this.#ended = await this.#roundEnds(planned.at);
    if (!this.#ended) {
      this.#missed++;
      this.#progress.note(`the slot of ${new Date(planned.at * 1000).toISOString()} ended without a directory`);
      return;
    }
    this.#roundMs.push(performance.now() - began);
    const { nodes, root } = this.#network;
    const node = nodes[Math.floor(this.#random.next() * nodes.length)]!;
    const client = this.#network.connect(node, 'client');
    try {
      this.#judge(await verifyDirectory(await client.pull(), { root, atSeconds: this.#wallClock.now() }));
    } finally {
      client.close();
    }
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
        const served = await Promise.all(this.#network.nodes.map((node) => node.directory()));
        everywhere = served.every((directory) => directory?.creation === at);
        const idle = this.#network.leader?.consensus.state === 'LeaderRunning';
        idleSince = idle ? Math.min(idleSince, performance.now()) : Infinity;
        return everywhere || performance.now() - idleSince > IDLE_MS;
      },
      at + 600,
    );
    return everywhere;
  }

  async #failOver(): Promise<number> {
    await until('a leader to stop', () => this.#network.leader !== undefined, { limitMs: PATIENCE_MS });
    const old = this.#network.leader!;
    const began = performance.now();
    await this.#network.stopNode(old);
    await until('another leader', () => this.#network.leader !== undefined, { limitMs: PATIENCE_MS });
    await this.#network.leader!.raft.barrier();
    return Math.round(performance.now() - began);
  }

  /** Waits while the day goes on, but not past `untilSeconds`. */
  async #until(what: string, condition: () => boolean | Promise<boolean>, untilSeconds: number): Promise<void> {
    await until(what, condition, {
      limitMs: PATIENCE_MS,
      everyMs: 10,
      tick: (elapsedMs) => {
        const now = this.#wallClock.now();
        this.#wallClock.jumpTo(Math.max(now, Math.min(untilSeconds, now + (elapsedMs / 1000) * WALL_SPEED)));
      },
    });
  }
}
