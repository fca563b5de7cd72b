import type { SignedTrustRoot } from '@discovery-raft/protocol';
import {
  decodeTrustRoots,
  encodeTrustRoots,
  firstTrustRoot,
  MAX_ROOTS_PER_MESSAGE,
  TrustRootChain,
  type RootRefusal,
  type TrustRootDocument,
} from '@discovery-raft/psp-envelope';
import type { TrustRoot } from '@discovery-raft/psp-pki';
import type { Logger } from '@discovery-raft/raft-core';
import { readOwnFile, replaceOwnFile } from '../cache/own-file.js';
import { describeFailure } from '../errors.js';
import { CLIENT_ROOT_CRYPTO } from './client-root-crypto.js';

/** Most bytes of the file of roots: a full chain. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** The chain that begins with a root that a client was built with. @throws EnvelopeError, PkiError for one that is none */
export function chainFrom(root: TrustRoot | TrustRootDocument): TrustRootChain {
  const first = 'nodes' in root ? root : firstTrustRoot(root);
  CLIENT_ROOT_CRYPTO.signersOf(first);
  return TrustRootChain.from(first, CLIENT_ROOT_CRYPTO.sha256);
}

/** What offering roots to a chain gave. */
export interface LongerChain {
  readonly chain: TrustRootChain;
  readonly taken: number;
  /** The first that is not to be believed; those before it were taken. */
  readonly refused: RootRefusal | null;
}

/** Takes any number of roots, in order. Never rejects because of what they say. */
export async function extendChain(chain: TrustRootChain, roots: readonly SignedTrustRoot[]): Promise<LongerChain> {
  let longer: LongerChain = { chain, taken: 0, refused: null };
  for (let at = 0; at < roots.length && longer.refused === null; at += MAX_ROOTS_PER_MESSAGE) {
    const step = await longer.chain.extend(roots.slice(at, at + MAX_ROOTS_PER_MESSAGE), CLIENT_ROOT_CRYPTO);
    longer = { ...step, taken: longer.taken + step.taken };
  }
  return longer;
}

/**
 * The trust roots of a client: from the one that it was built with to the newest that it has seen, which outlives it in a
 * file. The file is verified when it is read, so it need not be trusted; without it the client begins anew.
 */
export class RootMemory {
  readonly #path: string | null;
  readonly #logger: Logger;
  #chain: TrustRootChain;
  #loading: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param path null for a client that forgets at its end */
  constructor(root: TrustRoot | TrustRootDocument, path: string | null, logger: Logger) {
    this.#chain = chainFrom(root);
    this.#path = path;
    this.#logger = logger;
  }

  get chain(): TrustRootChain {
    return this.#chain;
  }

  /** Reads the file, once. */
  load(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  /** Takes roots from anywhere. @returns how many were new and good */
  offer(roots: readonly SignedTrustRoot[]): Promise<number> {
    const taken = this.#turn.then(() => this.#offer(roots));
    this.#turn = taken;
    return taken;
  }

  async #offer(roots: readonly SignedTrustRoot[]): Promise<number> {
    const { chain, taken, refused } = await extendChain(this.#chain, roots);
    if (refused !== null) this.#logger.warn('a trust root is not to be believed', { ...refused });
    if (taken === 0) return 0;
    this.#chain = chain;
    this.#logger.info('there is a new trust root', { version: chain.newest.document.version });
    if (this.#path === null) return taken;
    try {
      await replaceOwnFile(this.#path, encodeTrustRoots(chain.after(chain.first.document.version, Infinity)));
    } catch (error) {
      this.#logger.warn('the trust roots cannot be kept: they are asked for again after a restart', {
        ...describeFailure(error),
      });
    }
    return taken;
  }

  async #load(): Promise<void> {
    if (this.#path === null) return;
    try {
      const bytes = await readOwnFile(this.#path, MAX_FILE_BYTES);
      if (bytes === null) return;
      const { chain, refused } = await extendChain(this.#chain, decodeTrustRoots(bytes));
      this.#chain = chain;
      if (refused !== null) this.#logger.warn('the kept trust roots are damaged', { ...refused });
    } catch (error) {
      this.#logger.warn('the kept trust roots cannot be read', { ...describeFailure(error) });
    }
  }
}
