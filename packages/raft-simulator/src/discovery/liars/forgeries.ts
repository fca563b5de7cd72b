import { create, toBinary } from '@bufbuild/protobuf';
import {
  DiscoveryConsensusVoteSchema,
  DiscoveryConsensusVote_voteVerdict as Verdict,
  DiscoveryDirectoryPartSchema,
  DiscoveryDirectorySchema,
  DiscoveryFinalConsensusSchema,
  DiscoveryListingSchema,
  DiscoveryRequestAttestationSchema,
  DiscoveryRequestConsensusVoteSchema,
  DiscoveryStateDigestSchema,
  PublishToDiscoveryForwardedSchema,
  PullDiscoverySchema,
  type DiscoverySignature,
} from '@discovery-raft/protocol';
import type { DiscoveryMessage } from '@discovery-raft/discovery-consensus-fsm';
import type { Dice } from '../../scenario/dice.js';
import { creationOf, LIFETIME_SLOTS, SLOT_SECONDS } from '../calendar.js';
import type { Period } from '../crypto/keyring.js';
import { VERSION } from '../crypto/packets.js';

/** Bytes that mean nothing. */
export function noise(dice: Dice, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => dice.int(0, 255));
}

/** A signature of nobody, that names its certificate's owner. */
export function forgedSignature(dice: Dice, certificate: Uint8Array): DiscoverySignature {
  return { $typeName: 'protocol.DiscoverySignature', certificate, signature: noise(dice, 64) };
}

/** A certificate that nobody has made for anybody, with dates as the forger likes them. */
export function forgedCertificate(identity: string, { notBefore, notAfter }: Period): Uint8Array {
  return new TextEncoder().encode(`${identity}|${notBefore}|${notAfter}|00`);
}

/** A number as bad as a field of 64 bits can hold it. */
function badNumber(dice: Dice): bigint {
  return dice.pick([0n, 1n, 2n ** 40n, 2n ** 53n, 2n ** 64n - 1n, BigInt(dice.int(0, 1e6))]);
}

/** A message of any kind with anything in it. */
export function garbage(dice: Dice): DiscoveryMessage {
  const version = dice.chance(0.7) ? VERSION : 'x';
  const signature = forgedSignature(dice, noise(dice, 20));
  const signatures = Array.from({ length: dice.int(0, 40) }, () => signature);
  const make: readonly (() => DiscoveryMessage)[] = [
    () => ({ event: 'pullDiscovery', body: create(PullDiscoverySchema, { version, requestID: badNumber(dice) }) }),
    () => ({
      event: 'discoveryDirectory',
      body: create(DiscoveryDirectorySchema, { directory: noise(dice, 50), signatures, shortSignatures: signatures }),
    }),
    () => ({
      event: 'discoveryRequestConsensusVote',
      body: create(DiscoveryRequestConsensusVoteSchema, {
        ...{ version, creation: badNumber(dice), expiration: badNumber(dice), round: badNumber(dice) },
        ...{ frozenIndex: badNumber(dice), listDigest: noise(dice, dice.pick([0, 31, 32])) },
      }),
    }),
    () => ({
      event: 'discoveryConsensusVote',
      body: create(DiscoveryConsensusVoteSchema, {
        ...{ version, round: badNumber(dice), reason: 'x'.repeat(dice.int(0, 5000)), verdict: dice.int(0, 9) },
        ...(dice.chance(0.5) ? { signature } : {}),
      }),
    }),
    () => ({
      event: 'discoveryFinalConsensus',
      body: create(DiscoveryFinalConsensusSchema, { version, signatures, round: badNumber(dice) }),
    }),
    () => ({
      event: 'publishToDiscoveryForwarded',
      body: create(PublishToDiscoveryForwardedSchema, { version, publishPacket: noise(dice, 300), signature }),
    }),
    () => ({
      event: 'discoveryRequestAttestation',
      body: create(DiscoveryRequestAttestationSchema, { version, packets: [noise(dice, 100), new Uint8Array(0)] }),
    }),
    () => ({
      event: 'discoveryStateDigest',
      body: create(DiscoveryStateDigestSchema, {
        ...{ version, round: badNumber(dice), index: badNumber(dice), digest: noise(dice, dice.pick([0, 32, 5000])) },
      }),
    }),
    () => ({
      event: 'discoveryDirectoryPart',
      body: create(DiscoveryDirectoryPartSchema, {
        ...{ requestID: BigInt(dice.int(0, 5)), totalBytes: badNumber(dice), index: dice.int(0, 3) },
        ...{ count: dice.int(0, 4), content: noise(dice, 40), digest: noise(dice, 32) },
      }),
    }),
  ];
  return dice.pick(make)();
}

/** A vote that says no, with any reason. */
export function noVote(dice: Dice, round: bigint): DiscoveryMessage {
  const verdict = dice.pick([Verdict.no, Verdict.notReady]);
  const body = create(DiscoveryConsensusVoteSchema, { version: VERSION, round, verdict, reason: 'liar' });
  return { event: 'discoveryConsensusVote', body };
}

/** Listing bytes with these items. */
export function listingBytes(items: readonly Uint8Array[], round: number): Uint8Array {
  const creation = creationOf(round);
  const fields = { version: VERSION, items: [...items], creation: BigInt(creation) };
  const expiration = BigInt(creation + LIFETIME_SLOTS * SLOT_SECONDS);
  return toBinary(DiscoveryListingSchema, create(DiscoveryListingSchema, { ...fields, expiration }));
}

/** A directory of such bytes and signatures. */
export function directoryOf(bytes: Uint8Array, signatures: readonly DiscoverySignature[]): DiscoveryMessage {
  const body = create(DiscoveryDirectorySchema, { directory: bytes, signatures: [...signatures] });
  return { event: 'discoveryDirectory', body };
}

/** A vote request. */
export function voteRequest(round: number, frozenIndex: number, listDigest: Uint8Array): DiscoveryMessage {
  const creation = creationOf(round);
  const body = create(DiscoveryRequestConsensusVoteSchema, {
    version: VERSION,
    creation: BigInt(creation),
    expiration: BigInt(creation + LIFETIME_SLOTS * SLOT_SECONDS),
    round: BigInt(round),
    frozenIndex: BigInt(frozenIndex),
    listDigest,
  });
  return { event: 'discoveryRequestConsensusVote', body };
}

/** A final set. */
export function finalSet(
  round: number,
  listDigest: Uint8Array,
  signatures: readonly DiscoverySignature[],
): DiscoveryMessage {
  const fields = { version: VERSION, round: BigInt(round), listDigest, signatures: [...signatures] };
  return { event: 'discoveryFinalConsensus', body: create(DiscoveryFinalConsensusSchema, fields) };
}
