import { RaftError, withOutcome, type ProposalOutcome } from '../core/errors.js';
import type { ConfigurationAt } from '../core/configuration.js';
import type { Effect } from '../core/effects.js';
import type { Input } from '../core/inputs.js';
import type { LogIndex, SnapshotMeta } from '../core/types.js';
import type { SnapshotBytes } from '../ports/state-machine.js';
import type { SnapshotSink } from '../ports/snapshot-store.js';
import type { RestoreStore } from './restore-store.js';

/** Leave to go on with a restore. */
export type RestoreBegun = Extract<Effect, { readonly type: 'restoreBegun' }>;

/** What of a snapshot's description a restore needs; any `SnapshotMeta` will do. */
export type RestoreMeta = Pick<SnapshotMeta, 'version' | 'index' | 'size'>;

/** What a restore needs of its node. */
export interface UserRestorePorts {
  /** Asks the core for leave, under a number. */
  readonly begin: (ask: (id: number) => void) => Promise<RestoreBegun>;
  readonly feed: (input: Input) => void;
  readonly store: RestoreStore;
  readonly configuration: () => ConfigurationAt;
  /** Resolves when a quorum confirms that this node leads, and everything up to `index` is applied here. */
  readonly settled: (index: LogIndex) => Promise<void>;
  /** Whether this node still leads as it did. */
  readonly leads: (epoch: number) => boolean;
  /** Calls back whenever that may have changed, until what it returns is called. */
  readonly watch: (look: () => void) => () => void;
  /** Replaces the state machine's state. */
  readonly install: (meta: SnapshotMeta) => Promise<void>;
  readonly signal: AbortSignal | undefined;
}

/**
 * Replaces the state of the cluster, up to where its leader goes on behind it. Until the snapshot is whole in the store,
 * nothing has changed; from then on nobody can be sure, also when this fails: this server may yet bring its state to the
 * others. Then this node must stop: its store may hold a snapshot at an index that it would use for an entry.
 *
 * @throws RaftError see `Raft.restore`; `details.outcome` tells which of the two it is
 */
export async function userRestore(ports: UserRestorePorts, meta: RestoreMeta, bytes: SnapshotBytes): Promise<void> {
  let outcome: ProposalOutcome = 'notAppended';
  try {
    checkMeta(meta);
    const { id, begun } = await begin(ports);
    try {
      const sink = await writeRestore(ports, begun, meta, bytes);
      outcome = 'unknownOutcome';
      const stored = await sink.close();
      await ports.install(stored);
      ports.feed({ type: 'userRestored', leaderEpoch: begun.epoch, meta: stored });
    } catch (error) {
      if (outcome === 'notAppended') ports.feed({ type: 'abandonRestore', id, epoch: begun.epoch });
      throw error;
    }
  } catch (error) {
    throw withOutcome(error, outcome);
  }
}

/** Above this a restored log has no room for what follows: an index must stay below 2^53. */
const MAX_RESTORED_INDEX = 2 ** 52;

/** What the log and the store could not live with is refused before anything is asked for. @throws RaftError RAFT_INVALID_OPTION */
function checkMeta(meta: RestoreMeta): void {
  const limits = {
    version: [1, 2 ** 32 - 1],
    index: [0, MAX_RESTORED_INDEX],
    size: [0, Number.MAX_SAFE_INTEGER],
  } as const;
  for (const [name, [least, most]] of Object.entries(limits)) {
    const value: unknown = Reflect.get(Object(meta) as object, name);
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) continue;
    const message = `meta.${name} must be a whole number from ${least} to ${most}, not ${String(value)}`;
    throw new RaftError('RAFT_INVALID_OPTION', message, { option: `meta.${name}`, value });
  }
}

/**
 * Asks for leave. A leader that is new, or in the middle of a change of the membership, does not know yet which
 * configuration the state goes with; that is waited for.
 */
async function begin(ports: UserRestorePorts): Promise<{ id: number; begun: RestoreBegun }> {
  for (;;) {
    try {
      let id = 0;
      const begun = await ports.begin((given) => {
        id = given;
        ports.feed({ type: 'beginRestore', id });
      });
      return { id, begun };
    } catch (error) {
      if (!(error instanceof RaftError) || error.code !== 'RAFT_CONFIGURATION_PENDING') throw error;
    }
    await unlessAborted(ports.settled(ports.configuration().index), ports.signal);
  }
}

/** Settles as the promise does, or is rejected as soon as the caller aborts. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(aborted());
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function aborted(): RaftError {
  return new RaftError('RAFT_ABORTED', 'the caller aborted the restore', { outcome: 'notAppended' });
}

/**
 * Settles as the promise does, or is rejected as soon as the caller aborts or this leadership ends: a stream need not come to
 * an end by itself.
 */
function whileItGoesOn<T>(ports: UserRestorePorts, epoch: number, promise: Promise<T>): Promise<T> {
  const { signal } = ports;
  return new Promise<T>((resolve, reject) => {
    const end = (): void => {
      unwatch();
      signal?.removeEventListener('abort', look);
    };
    const fail = (error: unknown): void => {
      end();
      reject(error);
    };
    const look = (): void => {
      try {
        checkGoesOn(ports, epoch, signal);
      } catch (error) {
        fail(error);
      }
    };
    const unwatch = ports.watch(look);
    signal?.addEventListener('abort', look);
    promise.then((value) => {
      end();
      resolve(value);
    }, fail);
    look();
  });
}

/** The stream as what can be left while it stalls. */
async function* chunksOf(bytes: SnapshotBytes): AsyncGenerator<Uint8Array, void> {
  yield* bytes;
}

/**
 * Writes the bytes to a snapshot above the log, which is still to be closed. All that was proposed before is settled first,
 * so nobody's entry is thrown away unheard.
 *
 * @throws RaftError RAFT_SNAPSHOT_FAILED, RAFT_STORE_FAILED, RAFT_LEADERSHIP_LOST, RAFT_ABORTED, RAFT_SHUTDOWN
 */
async function writeRestore(
  ports: UserRestorePorts,
  { epoch, lastIndex, term }: RestoreBegun,
  meta: RestoreMeta,
  bytes: SnapshotBytes,
): Promise<SnapshotSink> {
  const { store, signal } = ports;
  await unlessAborted(ports.settled(lastIndex), signal);
  const { index: configurationIndex, configuration } = ports.configuration();
  const index = Math.max(lastIndex, meta.index) + 1;
  const sink = await store.create({ version: meta.version, index, term, configuration, configurationIndex });
  const chunks = chunksOf(bytes);
  try {
    for (;;) {
      const { done, value: chunk } = await whileItGoesOn(ports, epoch, chunks.next());
      if (done === true || chunk === undefined) break;
      if (sink.size + chunk.length > meta.size) throw wrongSize(meta, sink.size + chunk.length);
      await sink.write(chunk);
    }
    if (sink.size !== meta.size) throw wrongSize(meta, sink.size);
    // From here on there is no way back, so leadership is confirmed once more.
    await unlessAborted(ports.settled(lastIndex), signal);
    checkGoesOn(ports, epoch, signal);
    return sink;
  } catch (cause) {
    // Not waited for: it waits itself for a stream that stalls.
    chunks.return().catch(() => undefined);
    await sink.cancel();
    if (cause instanceof RaftError) throw cause;
    throw new RaftError('RAFT_SNAPSHOT_FAILED', 'the bytes to restore could not be read', {}, cause);
  }
}

function checkGoesOn(ports: UserRestorePorts, epoch: number, signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw aborted();
  if (ports.leads(epoch)) return;
  throw new RaftError('RAFT_LEADERSHIP_LOST', 'this node lost leadership before the restore took effect', {
    outcome: 'notAppended',
  });
}

function wrongSize(meta: RestoreMeta, size: number): RaftError {
  const more = size > meta.size ? 'at least ' : '';
  return new RaftError(
    'RAFT_SNAPSHOT_FAILED',
    `the state has ${more}${size} bytes, its description says ${meta.size}`,
    {
      size,
    },
  );
}
