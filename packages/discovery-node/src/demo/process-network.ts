import { DEFAULT_LIMITS, type EnvelopeLimits } from '@discovery-raft/psp-envelope';
import { connectPsp, StreamNamespace, type PspConnection } from '@discovery-raft/psp-link';
import type { Authority, TrustRoot } from '@discovery-raft/psp-pki';
import type { StatusReport } from '../admin/protocol.js';
import { NodeError } from '../errors.js';
import { initNetwork, type MadeNetwork, type MadeNode } from '../keys/init-network.js';
import { NodeClient } from '@discovery-raft/discovery-client';
import { ChildNode } from './child-node.js';
import { ENHANCE_SECONDS, RESEND_SECONDS, type DemoNetwork, type DemoNode, type DemoUsage } from './network.js';
import { ITEM_LIFETIME_SECONDS, SLOT_SECONDS } from './plan.js';

const DAY_SECONDS = 86_400;
const CLIENT_TIMEOUT_MS = 120_000;
/** Anonymous connections to each node, which the relays share: a handshake for each would measure RSA. */
const CONNECTIONS_PER_NODE = 8;
/** The least that peers accept by default; a demonstration's keys live for a minute. */
const RSA_BITS = 2048;

/** What a network of processes is made of. */
export interface ProcessNetworkOptions {
  readonly nodes: number;
  readonly slotSeconds: number;
  /** Unix seconds. */
  readonly startAt: number;
  /** Where keys, configuration and data go: a folder of its own. */
  readonly folder: string;
  /** How the command line of this package is started, the program first. */
  readonly command: readonly string[];
}

/** Discovery nodes that are processes of their own: TLS on loopback, durable stores, an admin socket each. */
export class ProcessNetwork implements DemoNetwork {
  readonly notBefore: number;
  readonly notAfter: number;
  readonly #options: ProcessNetworkOptions;
  readonly #made: MadeNetwork;
  #running: NodeElsewhere[] = [];
  /** Nodes that were ended. */
  #ended: MadeNode[] = [];
  #now: number;
  #timeSet: number;
  #setting: Promise<void> | undefined;
  #pastWireBytes = 0;
  #peakRssBytes = 0;

  private constructor(options: ProcessNetworkOptions, made: MadeNetwork, dates: Dates) {
    this.#options = options;
    this.#made = made;
    this.#now = options.startAt;
    this.#timeSet = options.startAt;
    this.notBefore = dates.notBefore;
    this.notAfter = dates.notAfter;
  }

  /** Makes keys and configuration of all nodes. @throws NodeError NODE_EXISTS */
  static async create(options: ProcessNetworkOptions): Promise<ProcessNetwork> {
    const { folder, nodes, startAt, slotSeconds } = options;
    // The nodes live in the time of the trace, and the client that checks their link certificates in ours.
    const today = Date.now() / 1000;
    const dates = {
      notBefore: Math.floor(Math.min(startAt, today)) - DAY_SECONDS,
      notAfter: Math.ceil(Math.max(startAt, today)) + 30 * DAY_SECONDS,
    };
    const made = await initNetwork({
      folder,
      nodes,
      ...dates,
      rsaBits: RSA_BITS,
      slotSeconds,
      settings: SETTINGS,
    });
    return new ProcessNetwork(options, made, dates);
  }

  get root(): TrustRoot {
    return this.#made.root;
  }

  get authorities(): readonly Authority[] {
    return this.#made.authorities;
  }

  get nodes(): readonly DemoNode[] {
    return this.#running;
  }

  async start(): Promise<void> {
    await Promise.all(this.#made.nodes.map((made) => this.#start(made)));
  }

  workedMs(): number {
    return performance.now();
  }

  async setTime(unixSeconds: number): Promise<void> {
    this.#now = Math.max(this.#now, unixSeconds);
    // Many relays ask at once: what comes while a time is being set waits for the next setting, of the newest time.
    while (this.#timeSet < unixSeconds) {
      this.#setting ??= this.#setTimes(this.#now).finally(() => {
        this.#setting = undefined;
      });
      await this.#setting;
    }
  }

  async end(node: DemoNode): Promise<void> {
    const ended = this.#running.find((other) => other === node);
    if (ended === undefined) throw new NodeError('NODE_INVALID_OPTION', 'this node does not run', {});
    await this.#note(ended);
    this.#running = this.#running.filter((other) => other !== ended);
    this.#ended.push(ended.made);
    await ended.kill();
  }

  async revive(): Promise<boolean> {
    const ended = this.#ended;
    this.#ended = [];
    await Promise.all(ended.map((made) => this.#start(made)));
    return true;
  }

  async usage(): Promise<DemoUsage> {
    let wireBytes = this.#pastWireBytes;
    let diskBytes = 0;
    for (const node of this.#running) {
      const status = await this.#look(node);
      wireBytes += wireBytesOf(status);
      diskBytes += status.storeBytes;
    }
    const own = process.resourceUsage().maxRSS / 1024;
    return { peakRssMb: Math.round(Math.max(own, this.#peakRssBytes / 2 ** 20)), wireBytes, diskBytes };
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = [];
    await Promise.all(running.map((node) => node.stop()));
  }

  async #start(made: MadeNode): Promise<void> {
    const child = await ChildNode.start(made, this.#options.command, this.#now);
    const node = new NodeElsewhere(child, this.root.profile.discoveryVersion);
    this.#running = [...this.#running, node];
  }

  async #setTimes(unixSeconds: number): Promise<void> {
    await Promise.all(this.#running.map((node) => node.setTime(unixSeconds)));
    this.#timeSet = unixSeconds;
  }

  async #note(node: NodeElsewhere): Promise<void> {
    this.#pastWireBytes += wireBytesOf(await this.#look(node));
  }

  async #look(node: NodeElsewhere): Promise<StatusReport> {
    const status = await node.status();
    this.#peakRssBytes = Math.max(this.#peakRssBytes, status.process.peakRssBytes);
    return status;
  }
}

interface Dates {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** What differs from a node's defaults: its day passes in a minute, and all relays come from one address. */
const SETTINGS = {
  consensus: {
    maxLifetimeSeconds: ITEM_LIFETIME_SECONDS + SLOT_SECONDS,
    voteSeconds: 60,
    resendSeconds: RESEND_SECONDS,
    confirmSeconds: 600,
    enhanceSeconds: ENHANCE_SECONDS,
    sourcePublishesPerSecond: 0,
    prefixPublishesPerSecond: 0,
  },
  raft: { commitTimeoutMs: 10 },
  log: { level: 'warn', format: 'json' },
  http: { enabled: false },
};

const CLIENT_LIMITS: EnvelopeLimits = { ...DEFAULT_LIMITS, maxMessageBytes: 64 * 1024 * 1024, maxBodyFields: 200_000 };

class NodeElsewhere implements DemoNode {
  readonly #child: ChildNode;
  readonly #version: string;
  readonly #clients: Promise<NodeClient>[] = [];
  #turn = 0;

  constructor(child: ChildNode, version: string) {
    this.#child = child;
    this.#version = version;
  }

  get made(): MadeNode {
    return this.#child.made;
  }

  get identity(): string {
    return this.made.identity;
  }

  status(): Promise<StatusReport> {
    return this.#child.admin.call('status', {});
  }

  async setTime(unixSeconds: number): Promise<void> {
    await this.#child.admin.call('clock.set', { unixSeconds });
  }

  async publish(_source: string, packet: Uint8Array): ReturnType<DemoNode['publish']> {
    return (await this.#client()).publish(packet);
  }

  async pull(): ReturnType<DemoNode['pull']> {
    return (await this.#client()).pull();
  }

  async kill(): Promise<void> {
    await this.#child.kill();
    await this.#closeClients();
  }

  async stop(): Promise<void> {
    await this.#closeClients();
    await this.#child.stop();
  }

  #client(): Promise<NodeClient> {
    const slot = this.#turn++ % CONNECTIONS_PER_NODE;
    return (this.#clients[slot] ??= this.#connect());
  }

  async #connect(): Promise<NodeClient> {
    const { host, port, fingerprint } = this.made;
    const connection: PspConnection = await connectPsp({ host, port, expectedFingerprint: fingerprint });
    const stream = await connection.openStream(StreamNamespace.discovery);
    stream.onClose(() => connection.close());
    return new NodeClient(stream, { version: this.#version, limits: CLIENT_LIMITS, timeoutMs: CLIENT_TIMEOUT_MS });
  }

  async #closeClients(): Promise<void> {
    for (const client of await Promise.allSettled(this.#clients))
      if (client.status === 'fulfilled') client.value.close();
  }
}

function wireBytesOf({ traffic }: StatusReport): number {
  return traffic.bytesSent + traffic.bytesReceived;
}
