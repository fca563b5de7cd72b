/** The commands of cells and their numbers (WIRE.md, section 3). Below 128 a cell has a fixed length. */
export const Command = {
  padding: 1,
  create: 2,
  created: 3,
  destroy: 4,
  relay: 5,
  versions: 128,
  authBypass: 129,
  certs: 130,
  authChallenge: 131,
  authenticate: 132,
  streamCreate: 133,
  streamRelay: 134,
  streamDestroy: 135,
  streamCreated: 136,
} as const;

/** Name of a command. */
export type CommandName = keyof typeof Command;

const NAMES = new Map<number, CommandName>(
  Object.entries(Command).map(([name, number]) => [number, name as CommandName]),
);

/** The name of a command's number, or undefined for one that this version does not know. */
export function commandNameOf(command: number): CommandName | undefined {
  return NAMES.get(command);
}

/** Whether cells with this command have a payload of exactly {@link FIXED_PAYLOAD_BYTES}. */
export function isFixed(command: number): boolean {
  return command < 128;
}

/** Payload of a cell of fixed length, in bytes; zeros fill it up. */
export const FIXED_PAYLOAD_BYTES = 509;

/** Longest payload of a cell of variable length, in bytes: what its 2-byte length can say. */
export const MAX_PAYLOAD_BYTES = 65_535;

/** The circuit id of cells that concern the connection itself. */
export const CONNECTION_ID = 0;

/** Set in the ids that the side chooses which opened the TLS connection. */
export const INITIATOR_BIT = 0x8000_0000;

/** Why a stream ended, as streamDestroy says it (WIRE.md, section 3). */
export const StreamReason = { unknown: 0, closed: 1, protocol: 2, notSupported: 3, duplicate: 4 } as const;

/** Name of a reason. */
export type StreamReasonName = keyof typeof StreamReason;

/** What a discovery node says to a circuit: reason 2 of `destroy`. */
export const CIRCUIT_NOT_SERVED = 2;

/** What a stream is for. */
export const StreamNamespace = { authority: 1, discovery: 2, dht: 3, presence: 4, media: 5 } as const;
