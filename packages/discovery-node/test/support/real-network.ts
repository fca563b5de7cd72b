import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AdminClient, initNetwork, type MadeNetwork, type MadeNode, type StatusReport } from '../../src/index.js';
import type { CompiledCli } from './compiled-cli.js';

/** How long a condition may take to come true on a machine that others use too, milliseconds. */
const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 25;
/** A node under load must not lose its leader for it. */
const RAFT = { heartbeatTimeoutMs: 1500, electionTimeoutMs: 1500, leaderLeaseTimeoutMs: 1500 };

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A node of {@link RealNetwork} that runs. */
export interface RealNode {
  readonly made: MadeNode;
  readonly admin: AdminClient;
  readonly pid: number;
  /** Sends a signal to this process alone. */
  signal(name: NodeJS.Signals): void;
  readonly exited: Promise<Exit>;
}

/** A network of processes on this machine. */
export class RealNetwork {
  readonly made: MadeNetwork;
  readonly #cli: CompiledCli;
  readonly #children = new Set<ChildProcess>();

  private constructor(made: MadeNetwork, cli: CompiledCli) {
    this.made = made;
    this.#cli = cli;
  }

  static async init(
    folder: string,
    nodes: number,
    cli: CompiledCli,
    options: { readonly slotSeconds?: number; readonly settings?: Readonly<Record<string, object>> } = {},
  ): Promise<RealNetwork> {
    const now = Math.floor(Date.now() / 1000);
    const made = await initNetwork({
      folder: join(folder, 'net'),
      nodes,
      notBefore: now - 86_400,
      notAfter: now + 30 * 86_400,
      rsaBits: 2048,
      slotSeconds: options.slotSeconds ?? 600,
      settings: {
        raft: RAFT,
        log: { format: 'json' },
        ...options.settings,
        consensus: { enhanceSeconds: 1, resendSeconds: 1, ...options.settings?.['consensus'] },
      },
    });
    return new RealNetwork(made, cli);
  }

  /**
   * Starts nodes and waits until their admin sockets answer.
   *
   * @param launcher program and arguments that become `node`, such as a shell that lowers a limit before its `exec`
   */
  start(
    made: readonly MadeNode[] = this.made.nodes,
    flags: readonly string[] = [],
    launcher: readonly string[] = [process.execPath],
  ): Promise<readonly RealNode[]> {
    return Promise.all(made.map((node) => this.#start(node, flags, launcher)));
  }

  /** Runs a command of the command line to its end. */
  async run(args: readonly string[]): Promise<Exit & { readonly stdout: string; readonly stderr: string }> {
    const child = spawn(process.execPath, [this.#cli.file, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: this.#cli.env,
    });
    this.#children.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    return new Promise((resolve) => {
      child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    });
  }

  /** The node that leads, once one does. */
  async leaderOf(
    nodes: readonly RealNode[],
  ): Promise<{ readonly leader: RealNode; readonly others: readonly RealNode[] }> {
    let leader: RealNode | undefined;
    await until('a leader', async () => {
      const reports = await Promise.all(nodes.map(({ admin }) => admin.call('status', {})));
      const id = reports.find(({ consensus }) => consensus.state === 'LeaderRunning')?.identity;
      leader = nodes.find(({ made }) => made.identity === id);
      return leader !== undefined && reports.every(({ raft }) => raft.leaderId === id);
    });
    return { leader: leader!, others: nodes.filter((node) => node !== leader) };
  }

  /** The log of a node so far. */
  logOf({ folder }: MadeNode): string {
    return readFileSync(join(folder, 'log'), 'utf8');
  }

  /** Ends whatever still runs. */
  async end(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }
  }

  async #start(made: MadeNode, flags: readonly string[], [program, ...before]: readonly string[]): Promise<RealNode> {
    const log = openSync(join(made.folder, 'log'), 'a');
    const child = spawn(program!, [...before, this.#cli.file, 'start', '--config', made.configFile, ...flags], {
      stdio: ['ignore', 'ignore', log],
      env: this.#cli.env,
    });
    closeSync(log);
    this.#children.add(child);
    let exit: Exit | undefined;
    const exited = new Promise<Exit>((resolve) => {
      child.once('exit', (code, signal) => {
        exit = { code, signal };
        resolve(exit);
      });
    });
    let admin: AdminClient | undefined;
    await until(`${made.name} to answer`, async () => {
      if (exit !== undefined) throw new Error(`${made.name} ended with ${JSON.stringify(exit)}:\n${this.logOf(made)}`);
      admin = await AdminClient.connect({ socket: made.socket }).catch(() => undefined);
      return admin !== undefined;
    });
    return { made, admin: admin!, pid: child.pid!, signal: (name) => void child.kill(name), exited };
  }
}

/** Waits until a condition holds. @throws Error when it does not for a minute */
export async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Waits until the status of a node is as wanted. */
export function untilStatus(
  what: string,
  { admin }: RealNode,
  wanted: (status: StatusReport) => boolean,
): Promise<void> {
  return until(what, async () => wanted(await admin.call('status', {})));
}
