import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AdminClient } from '../admin/admin-client.js';
import { codeOf } from '../directory/durable-file.js';
import { NodeError } from '../errors.js';
import type { MadeNode } from '../keys/init-network.js';
import { until } from './until.js';

/** How long a process may take until its admin socket answers, milliseconds. */
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 20_000;
/** How much of its log is shown when a process ends by itself. */
const LOG_TAIL_LINES = 12;

const running = new Set<ChildProcess>();

/** Ends all that run without warning: for a process that is about to end, and would leave them behind. */
export function killChildNodes(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** The process of one node, and the way to its admin socket. */
export class ChildNode {
  readonly made: MadeNode;
  readonly admin: AdminClient;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  private constructor(made: MadeNode, child: ChildProcess, exited: Promise<void>, admin: AdminClient) {
    this.made = made;
    this.admin = admin;
    this.#child = child;
    this.#exited = exited;
  }

  /**
   * Starts a node and waits until it answers.
   *
   * @param command how the command line is started, the program first
   * @param clockSeconds where its time of day stands, Unix seconds
   * @throws NodeError NODE_DEMO_STALLED with the end of its log, when it ends instead
   */
  static async start(made: MadeNode, command: readonly string[], clockSeconds: number): Promise<ChildNode> {
    const [program, ...args] = command;
    const log = openSync(logOf(made), 'a', 0o600);
    const child = spawn(
      program!,
      [...args, 'start', '--config', made.configFile, '--manual-clock', String(clockSeconds)],
      { stdio: ['ignore', 'ignore', log] },
    );
    closeSync(log);
    running.add(child);
    let ended: string | undefined;
    const exited = new Promise<void>((resolve) => {
      const end = (how: string): void => {
        ended ??= how;
        running.delete(child);
        resolve();
      };
      child.once('error', (error) => end(error.message));
      child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`));
    });
    let admin: AdminClient | undefined;
    const answers = async (): Promise<boolean> => {
      if (ended !== undefined) throw startFailed(made, ended);
      admin = await connectOrUndefined(made);
      return admin !== undefined;
    };
    await until(`${made.name} to start`, answers, { limitMs: START_LIMIT_MS, everyMs: 10 });
    return new ChildNode(made, child, exited, admin!);
  }

  /** Ends it without warning. */
  async kill(): Promise<void> {
    this.admin.close();
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Asks it to stop, and ends it when it does not in time. */
  async stop(): Promise<void> {
    this.admin.close();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_LIMIT_MS);
    this.#child.kill('SIGTERM');
    await this.#exited;
    clearTimeout(timer);
  }
}

async function connectOrUndefined({ socket }: MadeNode): Promise<AdminClient | undefined> {
  try {
    return await AdminClient.connect({ socket, timeoutMs: 120_000 });
  } catch (error) {
    if (codeOf(error) === 'NODE_ADMIN_UNREACHABLE') return undefined;
    throw error;
  }
}

function startFailed(made: MadeNode, how: string): NodeError {
  const tail = readFileSync(logOf(made), 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  return new NodeError('NODE_DEMO_STALLED', `${made.name} did not start: ${how}. The end of its log:\n${tail}`, {
    node: made.name,
  });
}

function logOf({ folder }: MadeNode): string {
  return join(folder, 'log');
}
