import type { KeyRange } from './keys.js';

/** One change of a commit. */
export interface Change {
  readonly key: Uint8Array;
  /** Null takes the key away; one that is not there is no error. */
  readonly value: Uint8Array | null;
}

/** Bytes of a database, all whole pages. */
export interface DatabaseUsage {
  /** Size of the file; it shrinks at an opening only. */
  readonly fileBytes: number;
  /** What of it holds something; the rest is free and will be used again. */
  readonly usedBytes: number;
}

/**
 * What the stores need of a database: an ordered map of bytes with atomic, durable commits. {@link LmdbDatabase} is the
 * real one; tests put one that fails around it.
 */
export interface Database {
  /**
   * What `use` makes of a value; of undefined when there is none. `use` gets the database's own bytes, not a copy: it keeps no
   * window into them, and does not read the database meanwhile.
   */
  read<T>(key: Uint8Array, use: (value: Uint8Array | undefined) => T): T;
  /** The keys of a range, ascending, as of now. */
  keys(range: KeyRange): Iterable<Uint8Array>;
  /** Carries out all changes or none. Resolves when they are durable. Values must not be written to before that. */
  commit(changes: readonly Change[]): Promise<void>;
  usage(): DatabaseUsage;
  /** Waits for the commits under way. */
  close(): Promise<void>;
}
