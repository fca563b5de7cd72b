import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { AdminClient, initNetwork, type MadeNetwork, type MadeNode } from '@discovery-raft/discovery-node';

const DAY_SECONDS = 86_400;
const LOOK_EVERY_MS = 2;
const program = join(
  dirname(createRequire(import.meta.url).resolve('@discovery-raft/discovery-node/package.json')),
  'dist/cli.js',
);

/** Flags of the engine for every node, such as `--cpu-prof`: to look for where the time goes, not to measure. */
const engineFlags = process.env['BENCH_NODE_FLAGS']?.split(' ') ?? [];

/** A running node of a benchmark's network, and its admin socket. */
export interface RunningNode {
  readonly made: MadeNode;
  readonly admin: AdminClient;
  /** Ends the process without warning. */
  kill(): Promise<void>;
}

/** Discovery nodes as an operator runs them: made by `init`, started by the command line, each a process. */
export class TestNetwork {
  readonly made: MadeNetwork;
  readonly #folder: string;
  readonly #children = new Set<ChildProcess>();

  private constructor(made: MadeNetwork, folder: string) {
    this.made = made;
    this.#folder = folder;
  }

  /** Makes keys and configurations; nothing runs yet. @param http whether the nodes serve HTTP */
  static async create(
    nodes: number,
    consensus: Readonly<Record<string, unknown>> = {},
    http = false,
  ): Promise<TestNetwork> {
    const folder = await mkdtemp(join(tmpdir(), 'discovery-bench-'));
    const now = Math.floor(Date.now() / 1000);
    const made = await initNetwork({
      folder: join(folder, 'network'),
      nodes,
      notBefore: now - DAY_SECONDS,
      notAfter: now + 30 * DAY_SECONDS,
      rsaBits: 2048,
      settings: {
        // All publishes come from one address here.
        consensus: { sourcePublishesPerSecond: 0, prefixPublishesPerSecond: 0, ...consensus },
        log: { level: 'warn' },
        http: { enabled: http },
      },
    });
    return new TestNetwork(made, folder);
  }

  /** Starts a node, and waits until its admin socket answers. */
  async start(made: MadeNode): Promise<RunningNode> {
    const child = spawn(process.execPath, [...engineFlags, program, 'start', '--config', made.configFile], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.#children.add(child);
    const admin = await until(`${made.name} to answer`, async () => {
      if (child.exitCode !== null) throw new Error(`${made.name} ended with ${child.exitCode}`);
      return AdminClient.connect({ socket: made.socket }).catch(() => undefined);
    });
    return {
      made,
      admin,
      kill: async () => {
        admin.close();
        await end(child);
        this.#children.delete(child);
      },
    };
  }

  /** Starts all nodes, and waits until one leads and has taken the list over. */
  async startAll(): Promise<{ readonly leader: RunningNode; readonly others: readonly RunningNode[] }> {
    const nodes = await Promise.all(this.made.nodes.map((made) => this.start(made)));
    const leader = await until('a leader', async () => {
      for (const node of nodes) if (await leads(node)) return node;
      return undefined;
    });
    return { leader, others: nodes.filter((node) => node !== leader) };
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#children].map(end));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Whether a node leads and has taken the list over. */
export async function leads({ admin }: RunningNode): Promise<boolean> {
  const { raft, consensus } = await admin.call('status', {});
  return raft.state === 'leader' && consensus.state.startsWith('Leader');
}

/** Looks again and again until there is something, with a pause after each look. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined>,
  limitMs = 60_000,
  pauseMs = LOOK_EVERY_MS,
): Promise<T> {
  const began = performance.now();
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() - began > limitMs) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
