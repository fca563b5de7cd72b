import { encodeConfiguration } from '../core/configuration.js';
import { RaftError } from '../core/errors.js';
import { EntryType, type Configuration } from '../core/types.js';
import { hasExistingState } from './load-state.js';
import type { RaftOptions } from './raft-options.js';
import { storeCall } from './store-call.js';

type Stores = Pick<RaftOptions<unknown>, 'logStore' | 'stableStore' | 'snapshotStore'>;

/**
 * Makes sure that the stores are empty, so that a new cluster may be written to them.
 *
 * @throws RaftError RAFT_ALREADY_BOOTSTRAPPED
 */
export async function checkEmpty({ logStore, stableStore, snapshotStore }: Stores): Promise<void> {
  if (await hasExistingState(logStore, stableStore, snapshotStore)) throw alreadyBootstrapped();
}

/**
 * Writes a new cluster's first term and entry into empty stores.
 *
 * @throws RaftError RAFT_STORE_FAILED; then nobody knows what the stores hold
 */
export async function writeFirstEntry({ logStore, stableStore }: Stores, configuration: Configuration): Promise<void> {
  const data = encodeConfiguration(configuration);
  await storeCall('saving term and vote', () => stableStore.save({ term: 1, votedFor: null }));
  await storeCall('appending the first configuration', () =>
    logStore.append([{ index: 1, term: 1, type: EntryType.configuration, data }]),
  );
}

/** The error for a node that is part of a cluster. */
export function alreadyBootstrapped(): RaftError {
  return new RaftError('RAFT_ALREADY_BOOTSTRAPPED', 'this node has state of a cluster already');
}
