import { itemFault } from '../policy/item-rules.js';
import type { FailedVerdict, PacketVerdict, SignatureVerdict, VerifiedPacket } from '../ports.js';
import type { BookEntry, JudgedAttestation } from './book-entry.js';
import type { Context } from './context.js';
import { KnownPacket } from './known-packet.js';
import type { Verify } from './verification-queue.js';

/** A verdict on a packet as the book keeps it. */
export type KeptVerdict = KnownPacket | FailedVerdict;

/** Has a packet judged at that Unix second. */
export function packetJudge(context: Context, entry: BookEntry, atSeconds: number): Verify<KeptVerdict> {
  return (tell, failed) => {
    const { packet, digest } = entry;
    const { verifier } = context.ports;
    const keep = (verdict: PacketVerdict): void => {
      let kept: KeptVerdict;
      try {
        kept = verdict.ok ? keptVerdict(context, entry, packet, verdict) : verdict;
      } catch (error) {
        return failed(error);
      }
      tell(kept);
    };
    if (verifier.verifyPacketThen === undefined) {
      verifier.verifyPacket(packet, atSeconds, digest).then(keep, failed);
    } else verifier.verifyPacketThen(packet, atSeconds, digest, keep, failed);
  };
}

/** A good verdict, in the form in which it is kept. */
export function keptVerdict(
  { config }: Context,
  entry: BookEntry,
  packet: Uint8Array,
  verified: VerifiedPacket,
): KnownPacket {
  const keepsRules = itemFault(verified, packet, config) === undefined;
  return new KnownPacket(verified, packet, entry, keepsRules);
}

/** Has an attestation judged at that Unix second. @param refused called first when it is not good */
export function signatureJudge(
  { ports }: Context,
  entry: BookEntry,
  slot: JudgedAttestation,
  atSeconds: number,
  refused: () => void,
): Verify<SignatureVerdict> {
  return (tell, failed) => {
    const { signature, certificate } = slot;
    const judged = ports.verifier.verifySignature(signature, entry.packet, atSeconds, entry.digest);
    judged.then((verdict) => {
      if (!verdict.ok) refused();
      tell(certificate.shared(verdict));
    }, failed);
  };
}
