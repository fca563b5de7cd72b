import type {
  ApplyContext,
  LogEntry,
  LogIndex,
  SnapshotBytes,
  StateMachine,
  StateMachineSnapshot,
} from '@discovery-raft/raft-core';

/** A command: sets a register. No value is written twice in a simulation. */
export interface Command {
  readonly key: string;
  readonly value: string;
}

/** A register's content and the entry that set it. */
export interface Register {
  readonly value: string;
  readonly index: LogIndex;
}

/** What a command's response tells. */
export interface Previous {
  /** What the register held before; null for nothing. */
  readonly value: string | null;
}

/** @param padding bytes of ballast, so that entries differ in size */
export function encodeCommand({ key, value }: Command, padding = 0): Uint8Array {
  return Buffer.from(`${key}=${value}${' '.repeat(padding)}`, 'latin1');
}

export function decodeCommand(bytes: Uint8Array): Command {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1').trimEnd();
  const at = text.indexOf('=');
  return { key: text.slice(0, at), value: text.slice(at + 1) };
}

/** Registers by key. The pure part, which the checkers run beside the servers. */
export class Registers {
  #registers = new Map<string, Register>();
  /** Index of the newest command that was applied. */
  lastCommand: LogIndex = 0;
  /** Equal for equal contents, whatever way led there. */
  digest = 0;

  get(key: string): Register | undefined {
    return this.#registers.get(key);
  }

  /** @returns the register as it was before; its entry is superseded now */
  set(index: LogIndex, { key, value }: Command): Register | undefined {
    const before = this.#registers.get(key);
    if (before !== undefined) this.digest = (this.digest - hashOf(key, before)) | 0;
    const register = { value, index };
    this.#registers.set(key, register);
    this.digest = (this.digest + hashOf(key, register)) | 0;
    this.lastCommand = index;
    return before;
  }

  /** Values by key. */
  values(): Map<string, string> {
    return new Map([...this.#registers].map(([key, { value }]) => [key, value]));
  }

  toText(): string {
    return JSON.stringify([this.lastCommand, ...this.#registers]);
  }

  static fromText(text: string): Registers {
    const [lastCommand, ...items] = JSON.parse(text) as [LogIndex, ...[string, Register][]];
    const result = new Registers();
    for (const [key, register] of items) result.set(register.index, { key, value: register.value });
    result.lastCommand = lastCommand;
    return result;
  }
}

/** A state that a user restores, as a snapshot has it: no entry of the log set its registers. */
export function restoredText(values: ReadonlyMap<string, string>): string {
  return JSON.stringify([0, ...[...values].map(([key, value]) => [key, { value, index: 0 }])]);
}

function hashOf(key: string, { value, index }: Register): number {
  let hash = index | 0;
  for (const text of [key, '=', value]) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) ^ (hash >>> 15);
  }
  return Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
}

/** The servers' state machine: registers, each of whose commands supersedes the one before, which is then redacted. */
export class RegisterMachine implements StateMachine<Previous> {
  registers = new Registers();
  readonly #redacts: boolean;
  readonly #applied: (entry: LogEntry, command: Command) => void;

  /** @param applied told of each command before it takes effect */
  constructor(redacts: boolean, applied: (entry: LogEntry, command: Command) => void) {
    this.#redacts = redacts;
    this.#applied = applied;
  }

  apply(entry: LogEntry, context: ApplyContext): Previous {
    const command = decodeCommand(entry.data);
    this.#applied(entry, command);
    const before = this.registers.set(entry.index, command);
    if (this.#redacts && before !== undefined) context.redact(before.index);
    return { value: before?.value ?? null };
  }

  snapshot(): StateMachineSnapshot {
    const bytes = Buffer.from(this.registers.toText(), 'latin1');
    return {
      // In pieces, so that a crash can come in between.
      persist: async (write) => {
        for (let at = 0; at < bytes.length; at += 200) await write(bytes.subarray(at, at + 200));
      },
      release() {},
    };
  }

  async restore(bytes: SnapshotBytes): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of bytes) chunks.push(chunk);
    this.registers = Registers.fromText(Buffer.concat(chunks).toString('latin1'));
  }
}
