import { createHash } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { DiscoveryItemSchema, PublishToDiscoverySchema, RaftLogEntrySchema } from '@discovery-raft/protocol';
import {
  CELL_PAYLOAD_BYTES,
  decodeDiscoveryBody,
  decodeDiscoveryMessage,
  discoveryMessage,
  encodeApplicationMessage,
  encodeDiscoveryMessage,
  EventId,
  openRaftPacket,
  Reassembler,
  sealRaftPacket,
  segment,
} from '../src/index.js';
import { fromHex, toHex, vectors } from './vectors.js';

const VERSION = 'xpx-discovery-1.0';

/** A variable-length cell (WIRE.md, section 3); cells themselves are another package's matter. */
function streamCell(payload: Uint8Array, circuitId: string): string {
  const length = payload.length.toString(16).padStart(4, '0');
  return `${circuitId}86${length}${toHex(payload)}`;
}

describe('discovery messages', () => {
  test('DiscoveryItem', () => {
    const { json, bytes } = vectors.discoveryItem;
    const item = fromBinary(DiscoveryItemSchema, fromHex(bytes));
    expect({ ...item, $typeName: undefined, expiration: Number(item.expiration) }).toEqual(json);
    expect(toHex(toBinary(DiscoveryItemSchema, item))).toBe(bytes);
  });

  test('PublishToDiscovery, both ways', () => {
    const { bytes } = vectors.publishToDiscovery;
    const signedDiscoveryItem = fromHex(vectors.signedDiscoveryItem.bytes);
    const message = discoveryMessage('publishToDiscovery', { version: VERSION, signedDiscoveryItem });
    expect(toHex(encodeDiscoveryMessage(message))).toBe(`07d3${bytes}`);
    expect(decodeDiscoveryMessage(fromHex(`07d3${bytes}`))).toEqual(message);
  });

  test('RaftLogEntry', () => {
    const entry = create(RaftLogEntrySchema, {
      packet: fromHex('aabb'),
      signatures: [{ signature: { certificate: fromHex('01'), signature: fromHex('02') }, expiration: 1_999_999_999n }],
      deleteIndex: 7n,
    });
    expect(toHex(toBinary(RaftLogEntrySchema, entry))).toBe(vectors.raftLogEntry.bytes);
    expect(fromBinary(RaftLogEntrySchema, fromHex(vectors.raftLogEntry.bytes))).toEqual(entry);
  });

  test('DiscoveryRaftPacket, both ways, by our codec and by protobuf-es', () => {
    const { json, bytes } = vectors.discoveryRaftPacket;
    const packet = openRaftPacket(fromHex(bytes));
    expect(packet).toMatchObject({
      version: json.version,
      sourceId: json.sourceID,
      destinationId: json.desitnationID,
      msgType: json.msgType,
      packetId: json.packetID,
      payload: fromHex(json.packet),
      kind: 'requestVote',
      direction: 'request',
    });
    expect(packet.signature).toBeUndefined();
    expect(toHex(sealRaftPacket(packet))).toBe(bytes);
    const decoded = decodeDiscoveryBody('discoveryRaftPacket', fromHex(bytes));
    expect(decoded.body).toMatchObject({ ...json, packetID: 42n, packet: fromHex(json.packet) });
    expect(toHex(encodeDiscoveryMessage(decoded))).toBe(`07d4${bytes}`);
  });
});

describe('application messages', () => {
  test('PullDiscovery, down to its cell and back', () => {
    const { eventId, applicationMessage, cells } = vectors.pullDiscovery;
    const message = discoveryMessage('pullDiscovery', { version: VERSION });
    const encoded = encodeDiscoveryMessage(message);
    expect(eventId).toBe(EventId.pullDiscovery);
    expect(toHex(encoded)).toBe(applicationMessage);
    expect(segment(encoded).map((payload) => streamCell(payload, '80000001'))).toEqual(cells);
    const received = new Reassembler().push(fromHex(cells[0]!).subarray(7));
    expect(received.map(toHex)).toEqual([applicationMessage]);
    expect(decodeDiscoveryMessage(received[0]!)).toEqual(message);
  });

  test('a message of several cells, and back', () => {
    const { messageLength, cellLengths, cellSha256 } = vectors.segmented;
    const message = Uint8Array.from({ length: messageLength }, (_, i) => i % 251);
    const pieces = segment(message);
    const cells = pieces.map((payload) => streamCell(payload, '00000000'));
    expect(cells.map((cell) => cell.length / 2)).toEqual(cellLengths);
    expect(cells.map((cell) => createHash('sha256').update(fromHex(cell)).digest('hex'))).toEqual(cellSha256);
    expect(pieces[0]!.length).toBe(CELL_PAYLOAD_BYTES);
    const reassembler = new Reassembler();
    expect(reassembler.push(pieces[0]!)).toEqual([]);
    expect(reassembler.push(pieces[1]!).map(toHex)).toEqual([toHex(message)]);
  });

  test('the event ids are the deployed ones, and five of ours', () => {
    const ids = Object.values(EventId).map((id) => id);
    expect(ids).toEqual([2001, 2002, 2003, 2004, 2005, 2006, 2007, 2008, 2009, 2010, 2011, 2012, 2013, 2016]);
    expect(toHex(encodeApplicationMessage('discoveryRequestAttestation', new Uint8Array(0)))).toBe('07da');
  });

  test('a message of the documented protocol, without extensions, is what protobuf-es says it is', () => {
    const publish = fromBinary(PublishToDiscoverySchema, fromHex(vectors.publishToDiscovery.bytes));
    expect(publish.requestID).toBe(0n);
  });
});
