import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  loadConfig,
  type MadeNetwork,
  newDiscoveryList,
  NodeSigner,
  readDeployment,
} from '@discovery-raft/discovery-node';
import { MemoryTransport } from '@discovery-raft/memory-transport';
import { Raft, systemClock } from '@discovery-raft/raft-core';
import { ListWriter } from '@discovery-raft/raft-log-list';
import { LmdbStore } from '@discovery-raft/raft-store-lmdb';
import { inHours, Relay } from './relays.js';

const AT_ONCE = 1000;

/**
 * Fills the store of a network's first node, which does not run, with items that are signed and attested as real ones are:
 * through Raft and the list's writer, only not over the wire.
 *
 * @returns the identity of the item that was stored last
 */
export async function fillStore(
  network: MadeNetwork,
  items: number,
  progress: (done: number) => void,
): Promise<string> {
  const { configFile } = network.nodes[0]!;
  const { loaded, keys } = await readDeployment(await loadConfig({ file: configFile }));
  const folder = loaded.path(loaded.config.data.directory);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const store = await LmdbStore.open({ path: join(folder, 'raft') });
  const { logStore, stableStore, snapshotStore } = store;
  const list = newDiscoveryList();
  const { identity } = keys.identity;
  const transport = new MemoryTransport({ id: identity, address: identity, clock: systemClock });
  const stores = { logStore, stableStore, snapshotStore };
  const raft = await Raft.create({ id: identity, address: identity, transport, ...stores, stateMachine: list });
  await raft.bootstrap({ servers: [{ suffrage: 'voter', id: identity, address: identity }] });
  await new Promise<void>((resolve) => {
    if (raft.state === 'leader') return resolve();
    raft.on('stateChange', ({ to }) => to === 'leader' && resolve());
  });
  await raft.barrier();
  const writer = new ListWriter({
    list,
    clock: systemClock,
    attestationThreshold: 1,
    propose: (data) => raft.apply(data),
  });
  writer.takeOver();
  const signer = new NodeSigner(keys.identity);
  const expiration = inHours(20);
  const relayOf = (i: number): Relay => new Relay(`stored ${i}`, network.root, network.authorities);
  const upsert = async (i: number): Promise<void> => {
    const packet = relayOf(i).packet(expiration);
    await writer.upsert(packet, { signature: await signer.sign(packet), expiration });
  };
  for (let from = 0; from < items; from += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, items - from) }, (_, i) => upsert(from + i)));
    progress(from + AT_ONCE);
  }
  writer.stepDown();
  await raft.shutdown();
  await transport.close();
  await store.close();
  return relayOf(items - 1).identity;
}
