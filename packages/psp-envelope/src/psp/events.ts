import {
  DiscoveryConsensusVoteSchema,
  DiscoveryDirectoryPartSchema,
  DiscoveryDirectorySchema,
  DiscoveryFinalConsensusSchema,
  DiscoveryRaftPacketSchema,
  DiscoveryRequestAttestationSchema,
  DiscoveryRequestConsensusVoteSchema,
  DiscoveryStateDigestSchema,
  PublishToDiscoveryForwardedSchema,
  PublishToDiscoveryResultSchema,
  PublishToDiscoverySchema,
  PullDiscoverySchema,
  PullTrustRootsSchema,
  TrustRootsSchema,
} from '@discovery-raft/protocol';
import { EnvelopeError } from '../errors.js';
import type { EnvelopeLimits } from '../limits.js';

/** Events of the discovery namespace and their ids (WIRE.md, section 2); 2009 to 2013 and 2016 are ours. */
export const EventId = {
  pullDiscovery: 2001,
  discoveryDirectory: 2002,
  publishToDiscovery: 2003,
  discoveryRaftPacket: 2004,
  discoveryRequestConsensusVote: 2005,
  discoveryConsensusVote: 2006,
  discoveryFinalConsensus: 2007,
  publishToDiscoveryForwarded: 2008,
  publishToDiscoveryResult: 2009,
  discoveryRequestAttestation: 2010,
  discoveryDirectoryPart: 2011,
  pullTrustRoots: 2012,
  trustRoots: 2013,
  discoveryStateDigest: 2016,
} as const;

/** Name of an event. */
export type EventName = keyof typeof EventId;

/** The protobuf message of each event. */
export const EVENT_SCHEMAS = {
  pullDiscovery: PullDiscoverySchema,
  discoveryDirectory: DiscoveryDirectorySchema,
  publishToDiscovery: PublishToDiscoverySchema,
  discoveryRaftPacket: DiscoveryRaftPacketSchema,
  discoveryRequestConsensusVote: DiscoveryRequestConsensusVoteSchema,
  discoveryConsensusVote: DiscoveryConsensusVoteSchema,
  discoveryFinalConsensus: DiscoveryFinalConsensusSchema,
  publishToDiscoveryForwarded: PublishToDiscoveryForwardedSchema,
  publishToDiscoveryResult: PublishToDiscoveryResultSchema,
  discoveryRequestAttestation: DiscoveryRequestAttestationSchema,
  discoveryDirectoryPart: DiscoveryDirectoryPartSchema,
  pullTrustRoots: PullTrustRootsSchema,
  trustRoots: TrustRootsSchema,
  discoveryStateDigest: DiscoveryStateDigestSchema,
} as const satisfies Record<EventName, unknown>;

/** The protobuf schema of an event. */
export type EventSchemas = typeof EVENT_SCHEMAS;

const NAMES: ReadonlyMap<number, EventName> = new Map(
  (Object.keys(EventId) as EventName[]).map((name) => [EventId[name], name]),
);

/** The name of an event id, undefined when it is not known. */
export function eventNameOf(id: number): EventName | undefined {
  return NAMES.get(id);
}

/** The name of an event id. @throws EnvelopeError ENVELOPE_UNKNOWN_EVENT */
export function requireEventName(id: number): EventName {
  const name = NAMES.get(id);
  if (name === undefined) throw new EnvelopeError('ENVELOPE_UNKNOWN_EVENT', 'the event is not known', { eventId: id });
  return name;
}

/** Most bytes of a message of trust roots; who has more sends several. */
export const MAX_TRUST_ROOTS_BYTES = 1_048_576;

/** Bytes that the body of an event may have. */
export function maxBodyBytes(event: EventName, limits: EnvelopeLimits): number {
  // 4 length bytes and 2 of the event id are part of the message.
  const most = limits.maxMessageBytes - 6;
  switch (event) {
    case 'discoveryDirectory':
    case 'discoveryDirectoryPart':
    case 'discoveryRaftPacket':
    case 'discoveryRequestAttestation':
      return most;
    case 'trustRoots':
      return Math.min(MAX_TRUST_ROOTS_BYTES, most);
    default:
      return Math.min(limits.maxSmallBodyBytes, most);
  }
}
