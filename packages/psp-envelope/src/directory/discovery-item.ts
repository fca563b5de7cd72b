import { fromBinary } from '@bufbuild/protobuf';
import { DiscoveryItemSchema, type DiscoveryItem } from '@discovery-raft/protocol';

/** Reads an item of a stranger; undefined for bytes that are none. Says nothing about what the item holds. */
export function readDiscoveryItem(bytes: Uint8Array): DiscoveryItem | undefined {
  try {
    return fromBinary(DiscoveryItemSchema, bytes, { readUnknownFields: false });
  } catch {
    // Errors of many kinds, a TypeError for text that is no UTF-8 among them.
    return undefined;
  }
}
