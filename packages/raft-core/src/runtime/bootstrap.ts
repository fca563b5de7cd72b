import { encodeConfiguration } from '../core/configuration.js';
import { RaftError } from '../core/errors.js';
import { EntryType, type Configuration } from '../core/types.js';
import { hasExistingState, loadState, type LoadedState } from './load-state.js';
import type { RaftOptions } from './raft-options.js';
import { storeCall } from './store-call.js';

type StartOptions = Pick<RaftOptions<unknown>, 'logStore' | 'stableStore' | 'snapshotStore' | 'stateMachine'>;
type Stores = Pick<RaftOptions<unknown>, 'logStore' | 'stableStore' | 'snapshotStore'>;

/** What a bootstrap needs of its node. */
export interface BootstrapPorts {
  readonly options: StartOptions;
  readonly hasTerm: () => boolean;
  /** Starts the node anew from what the stores hold now. @throws RaftError when the node was stopped meanwhile */
  readonly restart: (loaded: LoadedState) => void;
  readonly failed: (error: RaftError) => void;
}

/**
 * The begin of a cluster: writes the first entry beside the storage lane. While it does, the node must refuse its peers, or
 * a vote could be overwritten.
 */
export class Bootstrap {
  readonly #ports: BootstrapPorts;
  #running: Promise<void> | null = null;

  constructor(ports: BootstrapPorts) {
    this.#ports = ports;
  }

  get running(): boolean {
    return this.#running !== null;
  }

  /** @throws RaftError see `Raft.bootstrap` */
  async run(configuration: Configuration): Promise<void> {
    if (this.running || this.#ports.hasTerm()) throw alreadyBootstrapped();
    this.#running = this.#run(configuration).finally(() => {
      this.#running = null;
    });
    await this.#running;
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.#running?.catch(() => undefined);
  }

  async #run(configuration: Configuration): Promise<void> {
    const { options, restart, failed } = this.#ports;
    await checkEmpty(options);
    let loaded: LoadedState;
    try {
      await writeFirstEntry(options, configuration);
      loaded = await loadState(options, options.stateMachine);
    } catch (error) {
      // What the stores hold now is not what this node was started from: it must not write to them.
      if (error instanceof RaftError) failed(error);
      throw error;
    }
    restart(loaded);
  }
}

/**
 * Makes sure that the stores are empty, so that a new cluster may be written to them.
 *
 * @throws RaftError RAFT_ALREADY_BOOTSTRAPPED
 */
async function checkEmpty({ logStore, stableStore, snapshotStore }: Stores): Promise<void> {
  if (await hasExistingState(logStore, stableStore, snapshotStore)) throw alreadyBootstrapped();
}

/**
 * Writes a new cluster's first term and entry into empty stores.
 *
 * @throws RaftError RAFT_STORE_FAILED; then nobody knows what the stores hold
 */
async function writeFirstEntry({ logStore, stableStore }: Stores, configuration: Configuration): Promise<void> {
  const data = encodeConfiguration(configuration);
  await storeCall('saving term and vote', () => stableStore.save({ term: 1, votedFor: null }));
  await storeCall('appending the first configuration', () =>
    logStore.append([{ index: 1, term: 1, type: EntryType.configuration, data }]),
  );
}

/** The error for a node that is part of a cluster. */
function alreadyBootstrapped(): RaftError {
  return new RaftError('RAFT_ALREADY_BOOTSTRAPPED', 'this node has state of a cluster already');
}
