import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Vectors {
  readonly discoveryItem: { readonly json: Record<string, unknown>; readonly bytes: string };
  readonly signedDiscoveryItem: { readonly bytes: string };
  readonly publishToDiscovery: { readonly bytes: string };
  readonly discoveryRaftPacket: {
    readonly json: {
      readonly version: string;
      readonly sourceID: string;
      readonly desitnationID: string;
      readonly msgType: number;
      readonly packetID: number;
      readonly packet: string;
    };
    readonly bytes: string;
  };
  readonly raftLogEntry: { readonly bytes: string };
  readonly pullDiscovery: {
    readonly eventId: number;
    readonly applicationMessage: string;
    readonly cells: readonly string[];
  };
  readonly segmented: {
    readonly messageLength: number;
    readonly cellLengths: readonly number[];
    readonly cellSha256: readonly string[];
  };
}

/** Bytes of the deployed protocol (WIRE.md). */
export const vectors = JSON.parse(readFileSync(join(__dirname, 'fixtures', 'psp-vectors.json'), 'utf8')) as Vectors;

export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
