// A discovery node of the packages, by hand: Raft, the shared list in its log, the consensus on the list.
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { create } from '@bufbuild/protobuf';
import {
  attestationsNeeded,
  DiscoveryConsensus,
  listLeader,
  listReader,
  MemoryDirectoryStore,
  POLICIES,
} from '@discovery-raft/discovery-consensus-fsm';
import { MemoryTransport } from '@discovery-raft/memory-transport';
import { DiscoverySignatureSchema } from '@discovery-raft/protocol';
import { decodeApplicationMessage, decodeDiscoveryBody, encodeDiscoveryMessage } from '@discovery-raft/psp-envelope';
import type { Authority, TrustRoot } from '@discovery-raft/psp-pki';
import { MemoryLogStore, MemorySnapshotStore, MemoryStableStore, Raft, systemClock } from '@discovery-raft/raft-core';
import { ListWriter, SharedList } from '@discovery-raft/raft-log-list';
import { carryRaft, type Send } from './raft-seam.js';
import { listSchema, verifierOf } from './trust.js';

export interface NodeOptions {
  readonly id: string;
  /** Its certificate and signing key. */
  readonly keys: Authority;
  readonly members: readonly string[];
  readonly root: TrustRoot;
  readonly slotSeconds: number;
  /** The links to the other nodes; whoever calls `receive` has authenticated the other end. */
  readonly send: Send;
}

/** Starts a node. Clients and peers reach it through `consensus` and `receive`. */
export async function startNode({ id, keys, members, root, slotSeconds, send }: NodeOptions) {
  const list = new SharedList({ schema: listSchema, sha256: (bytes) => hash('sha256', bytes, 'binary'), crc32 });
  const transport = new MemoryTransport({ id, address: id, copy: false });
  const receiveRaft = carryRaft(id, root.profile.discoveryVersion, transport, send);
  const writer = new ListWriter({
    list,
    clock: systemClock,
    attestationThreshold: attestationsNeeded(POLICIES.safe, members.length),
    attesters: members.length,
    propose: (entry) => raft.apply(entry),
  });
  const { certificate, key } = keys;
  const consensus = new DiscoveryConsensus(
    { members: members.map((identity) => ({ identity })), slotSeconds },
    {
      list: listReader(list, { incompleteUntil: () => raft.incompleteUntil }),
      writer: listLeader(writer, () => raft.barrier()),
      channel: { send: (to, message) => send(to, encodeDiscoveryMessage(message)) },
      signer: {
        identity: id,
        sign: async (bytes) =>
          create(DiscoverySignatureSchema, { certificate: certificate.bytes, signature: key.sign(bytes) }),
      },
      verifier: verifierOf(root),
      store: new MemoryDirectoryStore(),
      clock: systemClock,
      sha256: (bytes) => hash('sha256', bytes, 'buffer'),
    },
  );
  const raft = await Raft.create({
    id,
    address: id,
    transport,
    logStore: new MemoryLogStore(),
    stableStore: new MemoryStableStore(),
    snapshotStore: new MemorySnapshotStore(),
    stateMachine: list,
    config: { heartbeatTimeoutMs: 200, electionTimeoutMs: 200, leaderLeaseTimeoutMs: 100 },
  });
  const tell = (): void => {
    consensus.raftStateChanged({ state: raft.state, leaderId: raft.leader?.id ?? null, term: raft.term });
  };
  raft.on('stateChange', tell).on('leaderChange', tell);
  consensus.on('stateDiverged', () => void raft.shutdown()); // others hold another state: nothing of it may spread
  await consensus.start();
  await raft.bootstrap({ servers: members.map((member) => ({ id: member, address: member, suffrage: 'voter' })) });

  return {
    id,
    consensus,
    async receive(from: string, bytes: Uint8Array): Promise<void> {
      if (!members.includes(from)) return;
      const { event, body } = decodeApplicationMessage(bytes);
      if (event === 'discoveryRaftPacket') await receiveRaft(from, body);
      else await consensus.onMessage(from, decodeDiscoveryBody(event, body));
    },
    async stop(): Promise<void> {
      consensus.shutdown();
      await raft.shutdown();
      await transport.close();
    },
  };
}
