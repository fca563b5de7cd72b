import * as nodeFiles from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Random } from '@discovery-raft/raft-core';
import type { SnapshotFiles } from '../../src/file-snapshot-store.js';

/** What is done to files, in order; paths are relative to the folder that is watched. */
type FileEvent =
  | { readonly type: 'create' | 'unlink' | 'syncFile' | 'syncFolder'; readonly path: string }
  | { readonly type: 'write'; readonly path: string; readonly bytes: Uint8Array }
  | { readonly type: 'rename'; readonly path: string; readonly to: string };

/** A file: what it holds, and what of it a power cut leaves for sure. */
interface Inode {
  readonly content: Uint8Array;
  readonly durable: Uint8Array;
}

const SECTOR_BYTES = 512;

/** The calls of the file system, written down; {@link VolatileFiles.cut} tells what a power cut leaves of them. */
export class VolatileFiles {
  readonly #folder: string;
  readonly #events: FileEvent[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** How much has been written down: a moment to cut at. */
  get moment(): number {
    return this.#events.length;
  }

  /** To be given to a store. */
  get files(): SnapshotFiles {
    return {
      ...nodeFiles,
      open: async (path, flags, mode) => this.#watched(await nodeFiles.open(path, flags, mode), path, flags),
      rename: async (from, to) => {
        await nodeFiles.rename(from, to);
        this.#events.push({ type: 'rename', path: this.#nameOf(from), to: this.#nameOf(to) });
      },
      unlink: async (path) => {
        await nodeFiles.unlink(path);
        this.#events.push({ type: 'unlink', path: this.#nameOf(path) });
      },
    };
  }

  /**
   * Makes a folder as a power cut at a moment may leave it. What was synced is there. Of what was written to a file since, each
   * sector is there, or zeros, or garbage, up to any length; of what was done to the names since the sync of their folder,
   * any part that is possible by itself.
   */
  cut(moment: number, into: string, random: Random): void {
    const inodes = new Map<number, Inode>();
    let names = new Map<string, number>();
    let durableNames = new Map<string, number>();
    let since: FileEvent[] = [];
    for (const event of this.#events.slice(0, moment)) {
      if (event.type === 'syncFolder') {
        durableNames = new Map(names);
        since = [];
        continue;
      }
      if (event.type === 'create') inodes.set(inodes.size, { content: new Uint8Array(0), durable: new Uint8Array(0) });
      if (event.type === 'write' || event.type === 'syncFile') {
        const number = names.get(event.path)!;
        const { content, durable } = inodes.get(number)!;
        if (event.type === 'write') inodes.set(number, { content: Buffer.concat([content, event.bytes]), durable });
        else inodes.set(number, { content, durable: content });
        continue;
      }
      names = renamed(names, event, inodes.size - 1);
      since.push(event);
    }
    let created = inodes.size - since.filter(({ type }) => type === 'create').length;
    for (const event of since) {
      const number = event.type === 'create' ? created++ : -1;
      if (random.next() < 0.5) durableNames = renamed(durableNames, event, number);
    }
    for (const [name, number] of durableNames) {
      mkdirSync(dirname(join(into, name)), { recursive: true });
      writeFileSync(join(into, name), torn(inodes.get(number)!, random));
    }
  }

  #nameOf(path: Parameters<SnapshotFiles['unlink']>[0]): string {
    return relative(this.#folder, String(path));
  }

  #watched(handle: FileHandle, path: Parameters<SnapshotFiles['open']>[0], flags: string | number = 'r'): FileHandle {
    const name = this.#nameOf(path);
    if (flags === 'wx') this.#events.push({ type: 'create', path: name });
    const write = async (bytes: Uint8Array, from: number, length: number) => {
      const result = await handle.write(bytes, from, length);
      this.#events.push({ type: 'write', path: name, bytes: bytes.slice(from, from + length) });
      return result;
    };
    const sync = async (): Promise<void> => {
      await handle.sync();
      this.#events.push({ type: flags === 'wx' ? 'syncFile' : 'syncFolder', path: name });
    };
    return new Proxy(handle, {
      get: (of, key) => {
        if (key === 'write') return write;
        if (key === 'sync') return sync;
        const value: unknown = Reflect.get(of, key, of);
        return typeof value === 'function' ? (value.bind(of) as unknown) : value;
      },
    });
  }
}

/** The names after an event; unchanged when the file that it is about has no such name. */
function renamed(names: Map<string, number>, event: FileEvent, created: number): Map<string, number> {
  const next = new Map(names);
  const number = names.get(event.path);
  if (event.type === 'create') next.set(event.path, created);
  if (number === undefined) return next;
  if (event.type === 'unlink' || event.type === 'rename') next.delete(event.path);
  if (event.type === 'rename') next.set(event.to, number);
  return next;
}

function torn({ content, durable }: Inode, random: Random): Uint8Array {
  const length = durable.length + Math.floor(random.next() * (content.length - durable.length + 1));
  const bytes = Uint8Array.from(content.subarray(0, length));
  for (let at = durable.length; at < length;) {
    const end = Math.min(length, at - (at % SECTOR_BYTES) + SECTOR_BYTES);
    const fate = random.next();
    if (fate < 0.2) bytes.fill(0, at, end);
    else if (fate < 0.4) for (let i = at; i < end; i++) bytes[i] = Math.floor(random.next() * 256);
    at = end;
  }
  return bytes;
}
