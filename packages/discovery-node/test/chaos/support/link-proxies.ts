import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import type { MadeNetwork, MadeNode } from '../../../src/index.js';

/** One way from a node to another, through which the first dials the second. */
interface Way {
  readonly from: MadeNode;
  readonly to: MadeNode;
  readonly server: Server;
  readonly sockets: Set<Socket>;
  cut: boolean;
}

interface Configuration {
  readonly members: { readonly identity: string; readonly host: string; port: number }[];
}

/**
 * A TCP proxy for each ordered pair of nodes, written into the configuration of each node as the place where its peers
 * are. A link is then a cable that can be pulled: what runs over it breaks, and no new connection comes about.
 */
export class LinkProxies {
  readonly #ways: Way[] = [];

  private constructor() {}

  /** Before the nodes are started. */
  static async between({ nodes }: MadeNetwork): Promise<LinkProxies> {
    const proxies = new LinkProxies();
    for (const from of nodes) {
      const config = parse(readFileSync(from.configFile, 'utf8')) as Configuration;
      for (const to of nodes) {
        if (to === from) continue;
        const member = config.members.find(({ identity }) => identity === to.identity)!;
        member.port = await proxies.#lay(from, to);
      }
      writeFileSync(from.configFile, stringify(config));
    }
    return proxies;
  }

  /** Pulls the cable between two nodes, in both directions. */
  cut(a: MadeNode, b: MadeNode): void {
    for (const way of this.#between(a, b)) {
      way.cut = true;
      for (const socket of way.sockets) socket.destroy();
    }
  }

  heal(a: MadeNode, b: MadeNode): void {
    for (const way of this.#between(a, b)) way.cut = false;
  }

  /** Cuts every link from a node of one side to a node of the other. */
  partition(one: readonly MadeNode[], other: readonly MadeNode[]): void {
    for (const a of one) for (const b of other) this.cut(a, b);
  }

  healAll(): void {
    for (const way of this.#ways) way.cut = false;
  }

  /** Cuts and heals the link between two nodes again and again, until `end` heals it for good. */
  flap(a: MadeNode, b: MadeNode, everyMs: number): { times(): number; end(): void } {
    let times = 0;
    let isCut = false;
    const timer = setInterval(() => {
      isCut = !isCut;
      if (!isCut) return this.heal(a, b);
      times++;
      this.cut(a, b);
    }, everyMs);
    return {
      times: () => times,
      end: () => {
        clearInterval(timer);
        this.heal(a, b);
      },
    };
  }

  async close(): Promise<void> {
    for (const { server, sockets } of this.#ways) {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  #between(a: MadeNode, b: MadeNode): Way[] {
    return this.#ways.filter(({ from, to }) => (from === a && to === b) || (from === b && to === a));
  }

  async #lay(from: MadeNode, to: MadeNode): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer();
    const way: Way = { from, to, server, sockets, cut: false };
    server.on('connection', (near) => {
      if (way.cut) return void near.destroy();
      const far = connect({ host: to.host, port: to.port });
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(socket);
        socket.setNoDelay(true);
        // A proxy hands errors on as the end of the connection.
        socket.on('error', () => socket.destroy());
        socket.on('close', () => {
          sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, from.host, resolve));
    this.#ways.push(way);
    return (server.address() as AddressInfo).port;
  }
}
