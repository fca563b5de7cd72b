import type { LogEntry, SnapshotBytes, StateMachine, StateMachineSnapshot } from '@discovery-raft/raft-core';

/** What goes into the log. A null value deletes. */
export interface Command {
  readonly key: string;
  readonly value: string | null;
}

/** The bytes of a command. */
export function encodeCommand(command: Command): Uint8Array {
  return Buffer.from(JSON.stringify(command));
}

/** A map of texts. `apply` answers with the value that was there before. */
export class KeyValueMachine implements StateMachine<string | null> {
  #values = new Map<string, string>();

  get(key: string): string | null {
    return this.#values.get(key) ?? null;
  }

  apply(entry: LogEntry): string | null {
    const { key, value } = JSON.parse(Buffer.from(entry.data).toString()) as Command;
    const before = this.get(key);
    if (value === null) this.#values.delete(key);
    else this.#values.set(key, value);
    return before;
  }

  snapshot(): StateMachineSnapshot {
    const text = JSON.stringify([...this.#values]);
    return { persist: (write) => write(Buffer.from(text)), release() {} };
  }

  async restore(bytes: SnapshotBytes): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of bytes) chunks.push(chunk);
    this.#values = new Map(JSON.parse(Buffer.concat(chunks).toString()) as [string, string][]);
  }
}
