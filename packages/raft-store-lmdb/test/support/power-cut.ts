import { readFileSync } from 'node:fs';
import type { Random } from '@discovery-raft/raft-core';
import type { Change, Database } from '../../src/database.js';

/** A commit: the database's file when the one before was durable, and when this one was. */
export interface Commit {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** A database that keeps the file as it was before and after each commit. */
export class WatchedDatabase implements Database {
  readonly #database: Database;
  readonly #file: string;
  /** Since the last look. */
  #commits: Commit[] = [];

  constructor(database: Database, file: string) {
    this.#database = database;
    this.#file = file;
  }

  /** The commits since the last call. */
  take(): readonly Commit[] {
    const commits = this.#commits;
    this.#commits = [];
    return commits;
  }

  read<T>(key: Uint8Array, use: (value: Uint8Array | undefined) => T): T {
    return this.#database.read(key, use);
  }

  keys(range: Parameters<Database['keys']>[0]): Iterable<Uint8Array> {
    return this.#database.keys(range);
  }

  async commit(changes: readonly Change[]): Promise<void> {
    const before = readFileSync(this.#file);
    await this.#database.commit(changes);
    this.#commits.push({ before, after: readFileSync(this.#file) });
  }

  usage(): ReturnType<Database['usage']> {
    return this.#database.usage();
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;
/** LMDB's roots stand on the first two pages, and take turns. */
const ROOT_PAGES = 2;

/**
 * The file as a power cut may leave it while a commit writes its pages, before their sync is done: each sector that it
 * changes may be new, or old, or neither, in any mixture, and the file may have its new length or not. The roots are old, since
 * none is written before that sync.
 */
export function cutAmongPages({ before, after }: Commit, random: Random): Uint8Array {
  const image = Buffer.alloc(random.next() < 0.5 ? before.length : after.length);
  image.set(before.subarray(0, image.length));
  const reached = random.next();
  for (let at = rootsEnd(after); at < image.length; at += SECTOR_BYTES) {
    const wanted = after.subarray(at, at + SECTOR_BYTES);
    if (Buffer.compare(wanted, before.subarray(at, at + SECTOR_BYTES)) === 0) continue;
    const fate = random.next();
    if (fate < reached) image.set(wanted, at);
    else if (fate < reached + (1 - reached) / 2) fill(image.subarray(at, at + SECTOR_BYTES), random);
  }
  return image;
}

/**
 * The file when the pages are synced, and of the new root so many of the changed bytes are written, in the order of the bytes; in
 * one of three cases all of them.
 */
export function cutInRoot({ before, after }: Commit, random: Random): Uint8Array {
  const image = Uint8Array.from(after);
  if (random.next() < 1 / 3) return image;
  const [from, end] = changedInRoots({ before, after });
  const until = from + Math.floor(random.next() * (end - from));
  image.set(before.subarray(until, end), until);
  return image;
}

/** The file when the sector of the new root was left as garbage. */
export function garbageInRoot(commit: Commit, random: Random): Uint8Array {
  const image = Uint8Array.from(commit.after);
  const [from] = changedInRoots(commit);
  const at = from - (from % SECTOR_BYTES);
  fill(image.subarray(at, at + SECTOR_BYTES), random);
  return image;
}

/** Where a commit changes the roots: from the first byte to behind the last. */
function changedInRoots({ before, after }: Commit): readonly [from: number, end: number] {
  const changed = [...before.subarray(0, rootsEnd(after)).keys()].filter((at) => before[at] !== after[at]);
  return [changed[0]!, changed.at(-1)! + 1];
}

/** Pages are as long as the head of the file says. */
function rootsEnd(file: Uint8Array): number {
  return ROOT_PAGES * new DataView(file.buffer, file.byteOffset).getUint32(48, true);
}

function fill(bytes: Uint8Array, random: Random): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(random.next() * 256);
}
