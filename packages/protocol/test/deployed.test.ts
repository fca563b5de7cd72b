import { create, fromBinary, toBinary, type DescMessage } from '@bufbuild/protobuf';
import * as protocol from '../src/index.js';

/** Fields of the deployed messages: name and number, in order. */
const DEPLOYED: Readonly<Record<string, readonly (readonly [string, number])[]>> = {
  DiscoveryItem: [
    ['version', 1],
    ['identity', 2],
    ['fingerprint', 3],
    ['handshake', 4],
    ['mode', 5],
    ['address', 6],
    ['expiration', 7],
  ],
  DiscoveryListing: [
    ['version', 1],
    ['items', 2],
    ['creation', 3],
    ['expiration', 4],
  ],
  DiscoverySignature: [
    ['certificate', 1],
    ['signature', 2],
  ],
  PublishToDiscovery: [
    ['version', 1],
    ['signedDiscoveryItem', 2],
  ],
  PullDiscovery: [['version', 1]],
  DiscoveryDirectory: [
    ['directory', 1],
    ['signatures', 2],
  ],
  DiscoveryRaftPacket: [
    ['version', 1],
    ['sourceID', 3],
    ['desitnationID', 4],
    ['msgType', 5],
    ['packetID', 6],
    ['packet', 7],
  ],
  RaftLogSignatureEntry: [
    ['signature', 1],
    ['expiration', 2],
  ],
  RaftLogEntry: [
    ['packet', 1],
    ['signatures', 2],
    ['deleteIndex', 3],
  ],
  DiscoveryRequestConsensusVote: [
    ['version', 1],
    ['creation', 2],
    ['expiration', 3],
  ],
  DiscoveryConsensusVote: [
    ['version', 1],
    ['signature', 2],
  ],
  DiscoveryFinalConsensus: [
    ['version', 1],
    ['signatures', 2],
  ],
  PublishToDiscoveryForwarded: [
    ['version', 1],
    ['fingerprint', 2],
    ['publishPacket', 3],
    ['signature', 4],
  ],
};

function schemaOf(message: string): DescMessage {
  return (protocol as unknown as Record<string, DescMessage>)[`${message}Schema`]!;
}

describe('the deployed messages', () => {
  test.each(Object.entries(DEPLOYED))(
    '%s keeps its names and numbers, and extensions come after them',
    (name, fields) => {
      const described = schemaOf(name).fields.map((field) => [field.name, field.number] as const);
      expect(described.slice(0, fields.length)).toEqual(fields);
      const last = fields.at(-1)![1];
      for (const [, number] of described.slice(fields.length)) expect(number).toBeGreaterThan(last);
    },
  );

  test('kinds of raft packets keep their numbers', () => {
    const { DiscoveryRaftPacket_raftMsgType: kind } = protocol;
    expect([
      kind.appendEntriesRequest,
      kind.requestVoteRequest,
      kind.installSnapshotRequest,
      kind.appendEntriesResponse,
      kind.requestVoteResponse,
      kind.installSnapshotResponse,
    ]).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('a reader skips fields that it does not know', () => {
    const vote = create(protocol.DiscoveryRequestConsensusVoteSchema, { version: 'v', creation: 7n, round: 9n });
    const bytes = toBinary(protocol.DiscoveryRequestConsensusVoteSchema, vote);
    expect(fromBinary(protocol.PullDiscoverySchema, bytes).version).toBe('v');
  });
});
