import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportLinkCredentials, fingerprintOfCredentials, generateLinkCredentials } from '@discovery-raft/psp-link';
import { benchIdentity } from './bench-identity.js';
import type { FromNode, Load, LoadResult, NodePlan, ToNode } from './messages.js';

const DAY_SECONDS = 86_400;

/** Three processes that are one Raft cluster on LMDB over TLS. */
export class DurableCluster {
  readonly #nodes: readonly Node[];
  readonly #folder: string;

  private constructor(nodes: readonly Node[], folder: string) {
    this.#nodes = nodes;
    this.#folder = folder;
  }

  /**
   * Starts the processes and waits until one leads.
   *
   * @param signed whether they sign their packets, and require that of each other
   */
  static async start(count: number, { signed = false } = {}): Promise<DurableCluster> {
    const folder = await mkdtemp(join(tmpdir(), 'discovery-raft-bench-'));
    const now = Math.floor(Date.now() / 1000);
    const dates = { notBefore: now - DAY_SECONDS, notAfter: now + DAY_SECONDS };
    const keys = await Promise.all(
      Array.from({ length: count }, () => generateLinkCredentials({ ...dates, keyBits: 2048 })),
    );
    const seeds = keys.map(() => randomBytes(32));
    const members = keys.map((own, i) => ({
      id: signed ? benchIdentity(seeds[i]!).identity : `n${i}`,
      fingerprint: fingerprintOfCredentials(own),
    }));
    const nodes = keys.map((own, index) => {
      const credentials = exportLinkCredentials(own);
      const signingSeed = signed ? seeds[index]!.toString('hex') : null;
      return new Node({ index, folder: join(folder, String(index)), credentials, nodes: members, signingSeed });
    });
    const cluster = new DurableCluster(nodes, folder);
    try {
      const ports = await Promise.all(nodes.map((node) => node.open()));
      const leads = Promise.race(nodes.map((node) => node.leads));
      for (const node of nodes) node.send({ type: 'join', ports });
      await leads;
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** Makes the load at the leader. */
  load(load: Load): Promise<LoadResult> {
    const leader = this.#nodes.find(({ isLeader }) => isLeader);
    if (leader === undefined) throw new Error('there is no leader');
    return leader.load(load);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

class Node {
  readonly leads: Promise<void>;
  isLeader = false;
  readonly #plan: NodePlan;
  readonly #child: ChildProcess;

  constructor(plan: NodePlan) {
    this.#plan = plan;
    this.#child = fork(new URL('node.js', import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.leads = this.#next('leads').then(() => {
      this.isLeader = true;
    });
    this.leads.catch(() => undefined);
  }

  send(message: ToNode): void {
    this.#child.send(message);
  }

  async open(): Promise<number> {
    const opened = this.#next('opened');
    this.send({ type: 'open', plan: this.#plan });
    return (await opened).port;
  }

  async load(load: Load): Promise<LoadResult> {
    const loaded = this.#next('loaded');
    this.send({ type: 'load', load });
    return (await loaded).result;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || !this.#child.connected) return;
    const exited = once(this.#child, 'exit');
    this.send({ type: 'stop' });
    await exited;
  }

  #next<T extends FromNode['type']>(type: T): Promise<Extract<FromNode, { type: T }>> {
    return new Promise((resolve, reject) => {
      const take = (message: FromNode): void => {
        if (message.type === 'failed') reject(new Error(`node ${this.#plan.index} failed: ${message.message}`));
        else if (message.type === type) resolve(message as Extract<FromNode, { type: T }>);
        else return;
        this.#child.off('message', take);
      };
      this.#child.on('message', take);
      this.#child.once('exit', (code) => reject(new Error(`node ${this.#plan.index} ended with ${code}`)));
    });
  }
}
