import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import {
  DiscoveryConsensus,
  listReader,
  MemoryDirectoryStore,
  type BuiltListing,
  type ConsensusConfig,
  type Signer,
} from '@discovery-raft/discovery-consensus-fsm';
import { sharedMemory } from '@discovery-raft/psp-pki';
import { SharedList } from '@discovery-raft/raft-log-list';
import { systemClock, type LogEntry } from '@discovery-raft/raft-core';
import { itemSchema, ItemVerifier } from './items.js';

/**
 * What the other nodes have: a list and a consensus of their own, so that what they find out about a listing before a round
 * begins spares the node that is measured nothing.
 */
export class OtherReplica {
  readonly #list: SharedList;
  readonly #consensus: DiscoveryConsensus;

  constructor(
    config: Partial<ConsensusConfig> & Pick<ConsensusConfig, 'members'>,
    signer: Signer,
    wallNow: () => number,
  ) {
    this.#list = new SharedList({ schema: itemSchema, sha256: (bytes) => hash('sha256', bytes, 'binary'), crc32 });
    const nothing = (): Promise<never> => Promise.reject(new Error('the others write nothing'));
    const judgesItems = new ItemVerifier({
      verifyPacket: async () => ({ ok: false, code: 'none' }),
      verifySignature: async () => ({ ok: false, code: 'none' }),
    });
    this.#consensus = new DiscoveryConsensus(config, {
      list: listReader(this.#list),
      writer: {
        upsert: nothing,
        expire: nothing,
        freeze: nothing,
        takeOver: () => undefined,
        stepDown: () => undefined,
      },
      channel: { send: async () => undefined },
      signer,
      verifier: judgesItems,
      store: new MemoryDirectoryStore(),
      clock: { ...systemClock, wallNow },
      sha256: (bytes) => hash('sha256', bytes, 'buffer'),
      yieldNow: () => new Promise((resolve) => setImmediate(resolve)),
      allocate: sharedMemory,
    });
  }

  start(): Promise<void> {
    return this.#consensus.start();
  }

  apply(entry: LogEntry): void {
    this.#list.apply(entry, { redact() {} });
  }

  /** What they list at that Unix second. */
  async listing(at: number): Promise<BuiltListing> {
    await looked(this.#consensus);
    return this.#consensus.getFullListForPublication(at);
  }

  stop(): void {
    this.#consensus.shutdown();
  }
}

/** Waits until a node has looked at all records of its list. */
export async function looked(consensus: DiscoveryConsensus): Promise<void> {
  for (;;) {
    const { pendingRecords, pendingVerifications } = consensus.counters;
    if (pendingRecords + pendingVerifications === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
