/**
 * Raft RPCs, the packets that carry them, and the application messages of the PSP discovery protocol: bytes in, typed
 * values out.
 *
 * @packageDocumentation
 */
export { ENVELOPE_ERROR_CODES, EnvelopeError, type EnvelopeErrorCode } from './errors.js';
export { DEFAULT_LIMITS, type EnvelopeLimits } from './limits.js';
export {
  directionOf,
  isRequest,
  messageKindOf,
  messageTypeOf,
  type Direction,
  type RaftMessage,
  type RaftMessageKind,
} from './raft/message-type.js';
export { toRpcFailure, type RpcFailure } from './raft/rpc-failure.js';
export { EntriesCache, type EntriesCacheOptions } from './raft/entries-cache.js';
export { decodeRaftMessage, encodeRaftMessage, type EncodedRaftMessage } from './raft/raft-message.js';
export {
  openRaftPacket,
  RaftPacket,
  sealRaftPacket,
  unwrapRaftPacket,
  wrapRaftPacket,
  type PacketSignature,
  type RaftPacketFields,
  type UnwrappedRaftPacket,
  type WrapOptions,
} from './raft/raft-packet.js';
export { signedContentOf } from './raft/signed-content.js';
export { EventId, eventNameOf, type EventName, type EventSchemas } from './psp/events.js';
export {
  decodeApplicationMessage,
  encodeApplicationMessage,
  type ApplicationMessage,
} from './psp/application-message.js';
export { CELL_PAYLOAD_BYTES, segment } from './psp/segment.js';
export { Reassembler, type Framing } from './psp/reassembler.js';
export {
  decodeDiscoveryBody,
  decodeDiscoveryMessage,
  discoveryMessage,
  encodeDiscoveryMessage,
  type DiscoveryMessage,
  type DiscoveryMessageOf,
} from './psp/discovery-message.js';
export { PUBLISH_CODES, publishCodeOf, type PublishCode } from './directory/publish-codes.js';
export { directoryQuorum, toleratedLiars, type QuorumRule } from './directory/quorum.js';
export { itemShapeFault, MAX_ADDRESSES, MAX_ITEM_BYTES, type ItemFault } from './directory/item-shape.js';
export {
  SHORT_LISTING_BYTES,
  shortListingOf,
  type Sha256,
  type ShortListing,
  type ShortListingOptions,
} from './directory/short-listing.js';
export {
  cutDirectory,
  DIRECTORY_PART_BYTES,
  DirectoryAssembler,
  MIN_DIRECTORY_PART_BYTES,
  noDirectoryPart,
  type AssemblerOptions,
  type CutOptions,
} from './directory/directory-parts.js';
export {
  answerPull,
  type DirectoryOffer,
  type PullAnswerOptions,
  type ServedDirectory,
} from './directory/pull-answer.js';
