import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { RunningNode } from './test-network.js';

/** To the load generator: whom to connect to. It answers `ready`. */
export interface ConnectOrder {
  readonly kind: 'connect';
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  /** Publishes without a receipt, of all connections together. */
  readonly inFlight: number;
}

/** To the load generator: what to publish. It answers with a {@link PublishReport} when every receipt is there. */
export interface PublishOrder {
  readonly kind: 'publish';
  readonly packets: readonly Uint8Array[];
}

/** What publishing took. */
export interface PublishReport {
  readonly kind: 'published';
  readonly seconds: number;
  /** User and system time of the load generator meanwhile. */
  readonly cpuSeconds: number;
}

/** What the load generator says. */
export type LoadAnswer = { readonly kind: 'ready' } | PublishReport;

/**
 * Publishes to one node from a process of its own, over a few anonymous TLS connections, many at a time. What it does for
 * each publish is little: the packets come signed, and are framed before the clock runs.
 */
export class PublishLoad {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async connect({ made }: RunningNode, connections: number, inFlight: number): Promise<PublishLoad> {
    const child = fork(new URL('publish-load-child.js', import.meta.url), { serialization: 'advanced' });
    const load = new PublishLoad(child);
    const { host, port } = made;
    await load.#ask({ kind: 'connect', host, port, connections, inFlight });
    return load;
  }

  /** Resolves when every packet was accepted and is in the list. Rejects when one is refused. */
  async publish(packets: readonly Uint8Array[]): Promise<PublishReport> {
    const answer = await this.#ask({ kind: 'publish', packets });
    if (answer.kind !== 'published') throw new Error(`the load generator answered ${answer.kind}`);
    return answer;
  }

  close(): void {
    this.#child.kill();
  }

  async #ask(order: ConnectOrder | PublishOrder): Promise<LoadAnswer> {
    const waiting = new AbortController();
    try {
      const answered = once(this.#child, 'message', waiting) as Promise<[LoadAnswer]>;
      const ended = once(this.#child, 'exit', waiting).then(([code]) => {
        throw new Error(`the load generator ended with ${code}`);
      });
      this.#child.send(order);
      const [answer] = await Promise.race([answered, ended]);
      return answer;
    } finally {
      waiting.abort();
    }
  }
}
