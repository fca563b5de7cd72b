import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { parse, stringify } from 'yaml';
import type { MadeNode } from '../../src/index.js';

/** A way from one node to another that can be cut: a TCP proxy on loopback. */
class Wire {
  readonly from: string;
  readonly to: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cut = false;

  private constructor(from: string, to: MadeNode) {
    this.from = from;
    this.to = to.name;
    this.#server = createServer((near) => {
      if (this.#cut) return void near.destroy();
      const far = connect(to.port, to.host);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(one);
        one.on('error', () => one.destroy());
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
  }

  static async between(from: string, to: MadeNode): Promise<Wire> {
    const wire = new Wire(from, to);
    await new Promise<void>((resolve) => wire.#server.listen(0, '127.0.0.1', resolve));
    return wire;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  set cut(cut: boolean) {
    this.#cut = cut;
    if (cut) for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut = true;
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** The wires between all nodes of a network, one for each direction of dialling. */
export class Wires {
  readonly #wires: readonly Wire[];

  private constructor(wires: readonly Wire[]) {
    this.#wires = wires;
  }

  /** Puts wires between nodes that do not run yet: each dials the others through its own. */
  static async lay(nodes: readonly MadeNode[]): Promise<Wires> {
    const wires: Wire[] = [];
    for (const node of nodes) {
      const config = parse(readFileSync(node.configFile, 'utf8')) as { members: { identity: string; port: number }[] };
      for (const other of nodes) {
        if (other === node) continue;
        const wire = await Wire.between(node.name, other);
        wires.push(wire);
        config.members.find(({ identity }) => identity === other.identity)!.port = wire.port;
      }
      writeFileSync(node.configFile, stringify(config));
    }
    return new Wires(wires);
  }

  /** Cuts what goes between the two groups, in both directions. */
  cut(some: readonly MadeNode[], others: readonly MadeNode[]): void {
    for (const wire of this.#between(some, others)) wire.cut = true;
  }

  /** Mends everything. */
  heal(): void {
    for (const wire of this.#wires) wire.cut = false;
  }

  async close(): Promise<void> {
    await Promise.all(this.#wires.map((wire) => wire.close()));
  }

  #between(some: readonly MadeNode[], others: readonly MadeNode[]): readonly Wire[] {
    const a = new Set(some.map(({ name }) => name));
    const b = new Set(others.map(({ name }) => name));
    return this.#wires.filter(({ from, to }) => (a.has(from) && b.has(to)) || (b.has(from) && a.has(to)));
  }
}
