import { DEFAULT_LIMITS, type EnvelopeLimits } from '@discovery-raft/psp-envelope';
import { channelPair } from '@discovery-raft/psp-link';
import { createTrustRoot, VerifyPool, XPX_PROFILE, type Authority, type TrustRoot } from '@discovery-raft/psp-pki';
import { seededRandom, systemClock, type Clock, type Logger } from '@discovery-raft/raft-core';
import { DiscoveryNode } from '../node/discovery-node.js';
import { NodeClient } from '../node/node-client.js';
import { createNodeIdentity, type NodeIdentity } from '../pki/node-identity.js';
import type { ManualWallClock } from '../time/wall-clock.js';
import { ITEM_LIFETIME_SECONDS, SLOT_SECONDS } from './plan.js';
import { demoKey } from './publisher.js';

/** How many authorities vouch for a relay. */
const AUTHORITIES = 3;
const DAY_SECONDS = 86_400;
/** Pause before an accepted packet is sent again, and before a leader shows it to others. */
const RESEND_SECONDS = 20;
const ENHANCE_SECONDS = 5;
/** After this time, a leader has asked for the attestations that are missing. */
export const ENHANCE_AFTER_SECONDS = RESEND_SECONDS + ENHANCE_SECONDS + 1;

/** What a demonstration network is made of. */
export interface DemoNetworkOptions {
  readonly nodes: number;
  readonly seed: number;
  readonly wallClock: ManualWallClock;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

/** Discovery nodes in one process, each linked to each by a channel that carries the bytes of the protocol. */
export class DemoNetwork {
  readonly root: TrustRoot;
  readonly authorities: readonly Authority[];
  /** Dates of every certificate, Unix seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** A day's directory is larger than what one message of a deployed client may hold. */
  readonly limits: EnvelopeLimits = { ...DEFAULT_LIMITS, maxMessageBytes: 64 * 1024 * 1024, maxBodyFields: 200_000 };
  readonly #options: DemoNetworkOptions;
  readonly #clock: Clock;
  readonly #identities: readonly NodeIdentity[];
  readonly #verifyPool = new VerifyPool();
  #nodes: DiscoveryNode[] = [];

  constructor(options: DemoNetworkOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.notBefore = options.wallClock.now() - DAY_SECONDS;
    this.notAfter = options.wallClock.now() + 30 * DAY_SECONDS;
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

  /** The nodes that run. */
  get nodes(): readonly DiscoveryNode[] {
    return this.#nodes;
  }

  /** The node that leads and has taken the list over; undefined while there is none. */
  get leader(): DiscoveryNode | undefined {
    return this.#nodes.find((node) => node.raft.state === 'leader' && node.consensus.isLeader());
  }

  /** Starts and links all nodes, and makes them one cluster. */
  async start(): Promise<void> {
    const members = this.#identities.map(({ identity }) => ({ identity }));
    this.#nodes = await Promise.all(
      this.#identities.map((identity, i) =>
        DiscoveryNode.create({
          identity,
          root: this.root,
          members,
          limits: this.limits,
          clock: this.#clock,
          wallClock: this.#options.wallClock,
          verifyPool: this.#verifyPool,
          random: seededRandom(this.#options.seed + i),
          // All nodes share one event loop here, and with it the time that each needs to build a listing.
          raft: { heartbeatTimeoutMs: 1000, electionTimeoutMs: 1000, leaderLeaseTimeoutMs: 1000, commitTimeoutMs: 10 },
          // The time of day runs faster than real time here, so what is seconds by the wall is given more of them.
          consensus: {
            slotSeconds: SLOT_SECONDS,
            maxLifetimeSeconds: ITEM_LIFETIME_SECONDS + SLOT_SECONDS,
            voteSeconds: 60,
            resendSeconds: RESEND_SECONDS,
            confirmSeconds: 600,
            enhanceSeconds: ENHANCE_SECONDS,
          },
          ...(this.#options.logger ? { logger: this.#options.logger } : {}),
        }),
      ),
    );
    for (const [i, a] of this.#nodes.entries()) {
      for (const b of this.#nodes.slice(i + 1)) {
        const [toB, toA] = channelPair({ clock: this.#clock });
        a.attachPeer(b.identity, { main: toB });
        b.attachPeer(a.identity, { main: toA });
      }
    }
    for (const node of this.#nodes) await node.bootstrap();
  }

  /** An anonymous client's connection to a node. */
  connect(node: DiscoveryNode, source: string): NodeClient {
    const [client, server] = channelPair({ clock: this.#clock });
    node.attachClient({ source, prefix: source.split('.').slice(0, 2).join('.') }, server);
    return new NodeClient(client, {
      version: this.root.profile.discoveryVersion,
      limits: this.limits,
      clock: this.#clock,
      timeoutMs: 120_000,
    });
  }

  /** Stops a node for good. */
  async stopNode(node: DiscoveryNode): Promise<void> {
    this.#nodes = this.#nodes.filter((other) => other !== node);
    await node.stop();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
    this.#nodes = [];
    await this.#verifyPool.close();
  }
}
