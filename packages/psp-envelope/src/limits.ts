/** Bounds on what is read. Each is checked before memory is taken for what it bounds. */
export interface EnvelopeLimits {
  /** Total length of an application message, counting its 4 length bytes. Deployed clients refuse more than 2 MiB. */
  readonly maxMessageBytes: number;
  /** Body of an event that is neither a directory, nor a Raft packet, nor a request for attestations. */
  readonly maxSmallBodyBytes: number;
  /** Top-level fields of a body: bounds signatures and packets. */
  readonly maxBodyFields: number;
  /** UTF-8 bytes of an identity or server id. Identities of PSP have at most 255. */
  readonly maxIdentityBytes: number;
  /** UTF-8 bytes of a server's address. */
  readonly maxAddressBytes: number;
  /** UTF-8 bytes of the version of the discovery protocol. */
  readonly maxVersionBytes: number;
  /** Certificate and signature of a Raft packet, each. */
  readonly maxSignatureBytes: number;
  /** Payload of a Raft packet that carries neither entries nor a snapshot's chunk. */
  readonly maxControlPayloadBytes: number;
  /** Entries of one AppendEntries. */
  readonly maxEntries: number;
  /** Data and extensions of one entry together. */
  readonly maxEntryBytes: number;
  /** Servers of a configuration, and as many outgoing ones. */
  readonly maxServers: number;
}

/** Limits that fit a network of up to 11 discovery nodes and the deployed clients' own limits. */
export const DEFAULT_LIMITS: EnvelopeLimits = Object.freeze({
  maxMessageBytes: 2_097_152,
  maxSmallBodyBytes: 65_536,
  maxBodyFields: 4_352,
  maxIdentityBytes: 255,
  maxAddressBytes: 512,
  maxVersionBytes: 64,
  maxSignatureBytes: 16_384,
  maxControlPayloadBytes: 4_096,
  maxEntries: 16_384,
  maxEntryBytes: 1_048_576,
  maxServers: 64,
});
