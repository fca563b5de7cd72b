import { resolve } from 'node:path';
import type { SignedTrustRoot } from '@discovery-raft/protocol';
import { decodeTrustRoots, encodeTrustRoots } from '@discovery-raft/psp-envelope';
import { NodeError } from '../errors.js';
import { codeOf, PUBLIC_FILE, readBounded, replaceFile } from '../directory/durable-file.js';
import type { RootStore } from './root-store.js';

/** Most bytes of the file: a full chain. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** The signed roots in one file, which needs no checksum: whoever reads it verifies it against the first root. */
export class FileRootStore implements RootStore {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** @throws NodeError NODE_DATA_CORRUPT */
  async load(): Promise<readonly SignedTrustRoot[]> {
    try {
      return await readRootsFile(this.#file);
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') return [];
      throw damagedRoots(this.#file, cause);
    }
  }

  async save(roots: readonly SignedTrustRoot[]): Promise<void> {
    await replaceFile(this.#file, encodeTrustRoots(roots), PUBLIC_FILE);
  }
}

/** What a file of signed roots holds, as `/trust-roots` serves it. @throws EnvelopeError, and errors of the system */
export async function readRootsFile(file: string): Promise<readonly SignedTrustRoot[]> {
  return decodeTrustRoots(await readBounded(file, MAX_FILE_BYTES));
}

/** The signed roots of a file that `root export` or a web server gave. @throws NodeError NODE_KEYS_UNREADABLE */
export async function rootsIn(file: string): Promise<readonly SignedTrustRoot[]> {
  try {
    return await readRootsFile(resolve(file));
  } catch (cause) {
    throw new NodeError('NODE_KEYS_UNREADABLE', `${file} holds no trust roots`, { file }, cause);
  }
}

/** The error that says what to do about stored roots that cannot be used. */
export function damagedRoots(where: string, cause?: unknown): NodeError {
  const advice =
    'Replace it by what `root export` of another node writes, or delete it: the node fetches the roots again from the others';
  return new NodeError(
    'NODE_DATA_CORRUPT',
    `the trust roots in ${where} are damaged. ${advice}`,
    { file: where },
    cause,
  );
}
