import { DEFAULT_LIMITS, type EnvelopeLimits } from '@discovery-raft/psp-envelope';
import { channelPair } from '@discovery-raft/psp-link';
import { createTrustRoot, VerifyPool, XPX_PROFILE, type Authority, type TrustRoot } from '@discovery-raft/psp-pki';
import { seededRandom, systemClock, type Clock, type Logger } from '@discovery-raft/raft-core';
import { NodeError } from '../errors.js';
import { DiscoveryNode } from '../node/discovery-node.js';
import { NodeClient } from '@discovery-raft/discovery-client';
import { createNodeIdentity, type NodeIdentity } from '../pki/node-identity.js';
import { ManualClock } from '../time/manual-clock.js';
import { ENHANCE_SECONDS, RESEND_SECONDS, type DemoNetwork, type DemoNode, type DemoUsage } from './network.js';
import { ITEM_LIFETIME_SECONDS } from './plan.js';
import { demoKey } from './publisher.js';

/** How many authorities vouch for a relay. */
const AUTHORITIES = 3;
const DAY_SECONDS = 86_400;
const CLIENT_TIMEOUT_MS = 120_000;

/** What a network in one process is made of. */
export interface InProcessNetworkOptions {
  readonly nodes: number;
  readonly seed: number;
  readonly slotSeconds: number;
  /** Unix seconds. */
  readonly startAt: number;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

/** Discovery nodes in one process, each linked to each by a channel that carries the bytes of the protocol. */
export class InProcessNetwork implements DemoNetwork {
  readonly root: TrustRoot;
  readonly authorities: readonly Authority[];
  readonly notBefore: number;
  readonly notAfter: number;
  /** A day's directory is larger than what one message of a deployed client may hold. */
  readonly limits: EnvelopeLimits = { ...DEFAULT_LIMITS, maxMessageBytes: 64 * 1024 * 1024, maxBodyFields: 200_000 };
  readonly #options: InProcessNetworkOptions;
  readonly #clock: Clock;
  readonly #day: ManualClock;
  readonly #identities: readonly NodeIdentity[];
  readonly #verifyPool = new VerifyPool();
  #nodes: NodeHere[] = [];
  /** Bytes on the wire of nodes that have ended. */
  #pastWireBytes = 0;

  constructor(options: InProcessNetworkOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#day = new ManualClock(options.startAt);
    this.notBefore = options.startAt - DAY_SECONDS;
    this.notAfter = options.startAt + 30 * DAY_SECONDS;
    const dates = { notBefore: this.notBefore, notAfter: this.notAfter };
    this.authorities = Array.from({ length: AUTHORITIES }, (_, i) => {
      const { certificate, key } = createNodeIdentity({
        role: 'auth',
        masterKey: demoKey('authority master', String(i)),
        signingKey: demoKey('authority', String(i)),
        ...dates,
      });
      return { certificate, key };
    });
    this.#identities = Array.from({ length: options.nodes }, (_, i) =>
      createNodeIdentity({
        role: 'discovery',
        masterKey: demoKey('node master', String(i)),
        signingKey: demoKey('node', String(i)),
        ...dates,
      }),
    );
    this.root = createTrustRoot({
      profile: XPX_PROFILE,
      authorities: this.authorities.map(({ certificate }) => certificate.identity.text),
      discoveryNodes: this.#identities.map(({ identity }) => identity),
    });
  }

  get nodes(): readonly DemoNode[] {
    return this.#nodes;
  }

  async start(): Promise<void> {
    const nodes = await Promise.all(this.#identities.map((identity, i) => this.#create(identity, i)));
    this.#nodes = nodes.map((node) => new NodeHere(node, (source) => this.#connect(node, source)));
    for (const [i, a] of nodes.entries()) {
      for (const b of nodes.slice(i + 1)) {
        const [toB, toA] = channelPair({ clock: this.#clock });
        a.attachPeer(b.identity, { main: toB });
        b.attachPeer(a.identity, { main: toA });
      }
    }
    for (const node of nodes) await node.bootstrap();
  }

  /** Processor time: where others take the processor, a round must not run out of time for it. */
  workedMs(): number {
    const { user, system } = process.cpuUsage();
    // Some of what is waited for takes no work.
    return (user + system) / 1000 + performance.now() / 5;
  }

  setTime(unixSeconds: number): Promise<void> {
    this.#day.jumpTo(unixSeconds);
    return Promise.resolve();
  }

  async end(node: DemoNode): Promise<void> {
    const ended = this.#nodes.find((other) => other === node);
    if (ended === undefined) throw new NodeError('NODE_INVALID_OPTION', 'this node does not run', {});
    this.#nodes = this.#nodes.filter((other) => other !== ended);
    this.#pastWireBytes += wireBytesOf(ended);
    await ended.node.stop();
  }

  revive(): Promise<boolean> {
    return Promise.resolve(false);
  }

  usage(): Promise<DemoUsage> {
    return Promise.resolve({
      peakRssMb: Math.round(process.resourceUsage().maxRSS / 1024),
      wireBytes: this.#nodes.reduce((sum, node) => sum + wireBytesOf(node), this.#pastWireBytes),
      diskBytes: null,
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map(({ node }) => node.stop()));
    this.#nodes = [];
    await this.#verifyPool.close();
  }

  #create(identity: NodeIdentity, i: number): Promise<DiscoveryNode> {
    return DiscoveryNode.create({
      identity,
      root: this.root,
      members: this.#identities.map((member) => ({ identity: member.identity })),
      limits: this.limits,
      clock: this.#clock,
      consensusClock: this.#day,
      verifyPool: this.#verifyPool,
      random: seededRandom(this.#options.seed + i),
      // All nodes share one event loop here, and with it the time that each needs to build a listing.
      raft: { heartbeatTimeoutMs: 1000, electionTimeoutMs: 1000, leaderLeaseTimeoutMs: 1000, commitTimeoutMs: 10 },
      // The time of day runs faster than real time here, so what is seconds by the wall is given more of them.
      consensus: {
        slotSeconds: this.#options.slotSeconds,
        maxLifetimeSeconds: ITEM_LIFETIME_SECONDS + this.#options.slotSeconds,
        voteSeconds: 60,
        resendSeconds: RESEND_SECONDS,
        confirmSeconds: 600,
        enhanceSeconds: ENHANCE_SECONDS,
      },
      ...(this.#options.logger ? { logger: this.#options.logger } : {}),
    });
  }

  /** An anonymous client's connection to a node. */
  #connect(node: DiscoveryNode, source: string): NodeClient {
    const [client, server] = channelPair({ clock: this.#clock });
    node.attachClient({ source, prefix: source.split('.').slice(0, 2).join('.') }, server);
    return new NodeClient(client, {
      version: this.root.profile.discoveryVersion,
      limits: this.limits,
      clock: this.#clock,
      timeoutMs: CLIENT_TIMEOUT_MS,
    });
  }
}

class NodeHere implements DemoNode {
  readonly node: DiscoveryNode;
  readonly #connect: (source: string) => NodeClient;

  constructor(node: DiscoveryNode, connect: (source: string) => NodeClient) {
    this.node = node;
    this.#connect = connect;
  }

  get identity(): string {
    return this.node.identity;
  }

  async status(): ReturnType<DemoNode['status']> {
    return this.node.status();
  }

  publish(source: string, packet: Uint8Array): ReturnType<DemoNode['publish']> {
    return this.#ask(source, (client) => client.publish(packet));
  }

  pull(): ReturnType<DemoNode['pull']> {
    return this.#ask('client', (client) => client.pull());
  }

  async #ask<T>(source: string, question: (client: NodeClient) => Promise<T>): Promise<T> {
    const client = this.#connect(source);
    try {
      return await question(client);
    } finally {
      client.close();
    }
  }
}

function wireBytesOf({ node }: NodeHere): number {
  return node.traffic.bytesSent + node.traffic.bytesReceived;
}
