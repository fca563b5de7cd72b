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
export { signedContentOf, type UnsignedRaftPacket } from './raft/signed-content.js';
export { EventId, eventNameOf, MAX_TRUST_ROOTS_BYTES, type EventName, type EventSchemas } from './psp/events.js';
export {
  decodeApplicationMessage,
  encodeApplicationMessage,
  type ApplicationMessage,
} from './psp/application-message.js';
export { CELL_PAYLOAD_BYTES, segment, segmentBody } from './psp/segment.js';
export { Reassembler, type Framing } from './psp/reassembler.js';
export {
  decodeDiscoveryBody,
  decodeDiscoveryMessage,
  discoveryMessage,
  encodeDiscoveryBody,
  encodeDiscoveryMessage,
  type DiscoveryMessage,
  type DiscoveryMessageOf,
} from './psp/discovery-message.js';
export { PUBLISH_CODES, publishCodeOf, type PublishCode } from './directory/publish-codes.js';
export { directoryQuorum, toleratedLiars, type QuorumRule } from './directory/quorum.js';
export { readDiscoveryItem, readItemClaims, type ItemClaims } from './directory/discovery-item.js';
export {
  isItemAddress,
  itemShapeFault,
  MAX_ADDRESSES,
  MAX_ITEM_BYTES,
  type ItemFault,
} from './directory/item-shape.js';
export { runSteps, type Steps } from './steps.js';
export type { Allocate } from './protobuf/proto-writer.js';
export { listedItemBytes, ListingWriter, type ListingHead } from './directory/listing-writer.js';
export { subNamespaceOf, SubNamespaces } from './directory/sub-namespace.js';
export {
  SHORT_LISTING_BYTES,
  shortListingOf,
  shortListingSteps,
  shortListingStepsOf,
  type FullListing,
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
  type PullAnswer,
  type PullAnswerOptions,
  type ServedDirectory,
} from './directory/pull-answer.js';
export {
  decodeTrustRoot,
  encodeTrustRoot,
  firstTrustRoot,
  MAX_TRUST_ROOT_AUTHORITIES,
  MAX_TRUST_ROOT_BYTES,
  MAX_TRUST_ROOT_NODES,
  nextTrustRoot,
  type FirstRootFacts,
  type NodeEndpoint,
  type RootChange,
  type RootNode,
  type TrustRootDocument,
} from './trust-root/trust-root-document.js';
export {
  MAX_CHAINED_ROOTS,
  MAX_ROOTS_PER_MESSAGE,
  TrustRootChain,
  type ChainedRoot,
  type ChainStep,
  type RootCrypto,
  type RootSigners,
} from './trust-root/trust-root-chain.js';
export {
  judgeSuccessor,
  linkRefusal,
  ROOT_REFUSAL_CODES,
  tallyRoot,
  type RootJudgement,
  type RootRefusal,
  type RootRefusalCode,
  type RootTally,
} from './trust-root/successor.js';
export { answerRootPull, decodeTrustRoots, encodeTrustRoots } from './trust-root/trust-root-messages.js';
export { beginsAsListing, listingClaims, type ListingClaims } from './directory/listing-claims.js';
