import type {
  DiscoveryConsensusVote,
  DiscoveryDirectory,
  DiscoveryFinalConsensus,
  DiscoveryRaftPacket,
  DiscoveryRequestAttestation,
  DiscoveryRequestConsensusVote,
  PublishToDiscovery,
  PublishToDiscoveryForwarded,
  PublishToDiscoveryResult,
  PullDiscovery,
} from '@discovery-raft/protocol';

/**
 * A message of the discovery protocol, typed; the composition encodes and decodes it (events 2001 to 2010). The names
 * and bodies are those of the envelope package, so values pass between the two as they are. Source: WIRE.md section 2.
 */
export type DiscoveryMessage =
  | { readonly event: 'pullDiscovery'; readonly body: PullDiscovery }
  | { readonly event: 'discoveryDirectory'; readonly body: DiscoveryDirectory }
  | { readonly event: 'publishToDiscovery'; readonly body: PublishToDiscovery }
  | { readonly event: 'discoveryRaftPacket'; readonly body: DiscoveryRaftPacket }
  | { readonly event: 'discoveryRequestConsensusVote'; readonly body: DiscoveryRequestConsensusVote }
  | { readonly event: 'discoveryConsensusVote'; readonly body: DiscoveryConsensusVote }
  | { readonly event: 'discoveryFinalConsensus'; readonly body: DiscoveryFinalConsensus }
  | { readonly event: 'publishToDiscoveryForwarded'; readonly body: PublishToDiscoveryForwarded }
  | { readonly event: 'publishToDiscoveryResult'; readonly body: PublishToDiscoveryResult }
  | { readonly event: 'discoveryRequestAttestation'; readonly body: DiscoveryRequestAttestation };
