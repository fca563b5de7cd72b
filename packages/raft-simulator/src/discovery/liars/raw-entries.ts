import { create, toBinary } from '@bufbuild/protobuf';
import { RaftLogEntrySchema, type DiscoverySignature } from '@discovery-raft/protocol';
import type { StoredRecord } from '@discovery-raft/raft-log-list';

/** What a leader can write into the log past the list's writer. */
export function removalOf(record: StoredRecord): Uint8Array {
  return encode({ deleteIndex: BigInt(record.index), origin: BigInt(record.origin) });
}

/** A freeze marker. */
export function markerOf(round: number): Uint8Array {
  return encode({ round: BigInt(round) });
}

/** A record that nobody checked. */
export function recordOf(
  packet: Uint8Array,
  signatures: readonly DiscoverySignature[],
  expiration: number,
): Uint8Array {
  return encode({
    packet,
    signatures: signatures.map((signature) => ({
      $typeName: 'protocol.RaftLogSignatureEntry',
      signature,
      expiration: BigInt(expiration),
    })),
  });
}

/** A record that takes the place of another one. */
export function replacementOf(
  record: StoredRecord,
  signatures: readonly DiscoverySignature[],
  expiration: number,
): Uint8Array {
  return encode({
    packet: record.packet,
    deleteIndex: BigInt(record.index),
    origin: BigInt(record.origin),
    signatures: signatures.map((signature) => ({
      $typeName: 'protocol.RaftLogSignatureEntry',
      signature,
      expiration: BigInt(expiration),
    })),
  });
}

function encode(fields: Parameters<typeof create<typeof RaftLogEntrySchema>>[1]): Uint8Array {
  return toBinary(RaftLogEntrySchema, create(RaftLogEntrySchema, fields));
}
