import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { DiscoveryDirectorySchema, type DiscoveryDirectory } from '@discovery-raft/protocol';

/** Number of the field of a `DiscoveryDirectory` that holds the listing. */
const LISTING_FIELD = 1;

/**
 * An encoded directory in parts that follow one another, the listing itself among them: an encoding of one piece would copy
 * its megabytes. Together they are what protobuf's own encoder gives.
 */
export function encodedParts(directory: DiscoveryDirectory): readonly Uint8Array[] {
  const { directory: listing, signatures, shortSignatures } = directory;
  const rest = toBinary(DiscoveryDirectorySchema, create(DiscoveryDirectorySchema, { signatures, shortSignatures }));
  const head = new BinaryWriter().tag(LISTING_FIELD, WireType.LengthDelimited).uint32(listing.length).finish();
  return listing.length === 0 ? [rest] : [head, listing, rest];
}
