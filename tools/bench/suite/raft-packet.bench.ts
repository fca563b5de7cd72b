import { NodeSigner, oneRoot, PacketSignatures } from '@discovery-raft/discovery-node';
import { openRaftPacket, wrapRaftPacket, type RaftMessage, type RaftPacket } from '@discovery-raft/psp-envelope';
import { createTrustRoot } from '@discovery-raft/psp-pki';
import { silentLogger, systemClock } from '@discovery-raft/raft-core';
import type { Bench } from '../bench.js';
import { benchIdentity } from '../durable/bench-identity.js';
import { comparedRates } from '../rate.js';

// What a packet costs at both ends together, signed and judged; beside it the same packet without a signature.

const [HERE, THERE] = [benchIdentity(new Uint8Array(32).fill(1)), benchIdentity(new Uint8Array(32).fill(2))];
const header = { protocolVersion: 3, id: HERE.identity, address: HERE.identity };

function appendEntries(count: number, bytes: number): RaftMessage {
  const entries = Array.from({ length: count }, (_, i) => ({
    index: i + 1,
    term: 1,
    type: 0 as const,
    data: new Uint8Array(bytes),
  }));
  const at = { prevLogIndex: 0, prevLogTerm: 0, leaderCommitIndex: 0, redactedThrough: 0 };
  return { kind: 'appendEntries', header, term: 1, entries, ...at };
}

function chunk(bytes: number): RaftMessage {
  const at = { lastLogIndex: 1, lastLogTerm: 1, configurationIndex: 1, size: bytes, offset: 0, crc: 0, done: true };
  const configuration = { servers: [{ suffrage: 'voter' as const, id: HERE.identity, address: HERE.identity }] };
  return { kind: 'installSnapshot', header, version: 1, term: 1, configuration, chunk: new Uint8Array(bytes), ...at };
}

function bench(name: string, message: RaftMessage): Bench {
  return {
    name: `raft-packet/signed/${name}`,
    unit: 'op/s',
    run: async ({ effort }) => {
      const guard = guardOf();
      const names = {
        version: 'xpx-discovery-1.0',
        sourceId: HERE.identity,
        destinationId: THERE.identity,
        packetId: 1,
      };
      const unsigned = (): RaftPacket => openRaftPacket(wrapRaftPacket({ ...names, message }));
      const signed = (): RaftPacket => {
        const packet = openRaftPacket(wrapRaftPacket({ ...names, message, sign: (fields) => guard.sign(fields) }));
        if (guard.judge(packet) !== null) throw new Error('a good packet was refused');
        return packet;
      };
      const [value = NaN, baseline] = comparedRates([signed, unsigned], effort);
      return { value, baseline };
    },
  };
}

function guardOf(): PacketSignatures {
  const nodes = [HERE.identity, THERE.identity];
  return new PacketSignatures({
    policy: 'require',
    signer: new NodeSigner(HERE),
    // Nobody is vouched for here, but a root without authorities is none.
    roots: oneRoot(createTrustRoot({ authorities: nodes, discoveryNodes: nodes, threshold: 1 })),
    now: () => Date.now() / 1000,
    clock: systemClock,
    logger: silentLogger,
  });
}

export default [
  bench('heartbeat', appendEntries(0, 0)),
  bench('append/1024x256B', appendEntries(1024, 256)),
  bench('chunk/256KiB', chunk(256 * 1024)),
];
