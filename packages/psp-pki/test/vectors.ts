import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { SigningKey } from '../src/index.js';

interface SeededCertificate {
  masterSeedByte: number;
  signingSeedByte: number;
}

interface Vectors {
  identities: { seedByte: number; publicKey: string; identity: string }[];
  publishedIdentities: { publicKey: string; identity: string }[];
  selfSignedCertificate: SeededCertificate & {
    notBefore: number;
    notAfter: number;
    signedPart: string;
    masterSignature: string;
    bytes: string;
  };
  selfSignedMessage: { message: string; bytes: string };
  regularCertificate: SeededCertificate & { authorities: SeededCertificate[]; bytes: string };
  discoveryItem: { json: { identity: string }; bytes: string };
  signedDiscoveryItem: { bytes: string };
  publishToDiscovery: { bytes: string };
  fingerprint: { certificateDer: string; fingerprint: string };
}

/** Byte vectors of the deployed protocol; see the file's own note. */
export const vectors = JSON.parse(
  readFileSync(join(__dirname, 'fixtures', 'psp-vectors.json'), 'utf8'),
) as unknown as Vectors;

export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** The vectors' keys come from a seed of one repeated byte. */
export function seededKey(seedByte: number): SigningKey {
  return SigningKey.fromSeed(new Uint8Array(32).fill(seedByte));
}

/** The vectors' certificates are valid from 1,700,000,000 to 2,200,000,000. */
export const NOT_BEFORE = 1_700_000_000;
export const NOT_AFTER = 2_200_000_000;
export const NOW = 1_900_000_000;

export function identityOfSeed(seedByte: number): string {
  const found = vectors.identities.find((identity) => identity.seedByte === seedByte);
  if (found === undefined) throw new Error(`no identity of seed ${String(seedByte)}`);
  return found.identity;
}
