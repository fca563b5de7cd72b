// What the node believes: how it reads packets, and the judge of signatures against a trust root.
import type { FailedVerdict, Verifier } from '@discovery-raft/discovery-consensus-fsm';
import { readDiscoveryItem } from '@discovery-raft/psp-envelope';
import {
  CertificateVerifier,
  isTimeDependent,
  openDetachedSignatureAsync,
  openSignedMessageAsync,
  peekCertificateIdentity,
  peekSignedMessage,
  validityOf,
  type Refusal,
  type TrustRoot,
} from '@discovery-raft/psp-pki';
import type { ListSchema } from '@discovery-raft/raft-log-list';

/** Whose a packet is and until when it holds. Nothing is verified here, and what cannot be read throws, which is allowed. */
export const listSchema: ListSchema = {
  describe(packet) {
    const { identity, message } = peekSignedMessage(packet);
    const item = readDiscoveryItem(message);
    return item?.identity === identity ? { identity, expiration: Number(item.expiration) } : undefined;
  },
  attester: (certificate) => peekCertificateIdentity(certificate),
};

export function verifierOf(root: TrustRoot): Verifier {
  const certificates = new CertificateVerifier({ root });
  const failed = ({ code, detail }: Refusal): FailedVerdict => {
    return { ok: false, code, detail, timeDependent: isTimeDependent(code) };
  };
  return {
    async verifyPacket(packet, atSeconds) {
      const opened = await openSignedMessageAsync(packet, certificates, atSeconds);
      if (!opened.ok) return failed(opened);
      const { message: itemBytes, certificate } = opened.signed;
      const item = readDiscoveryItem(itemBytes);
      if (item === undefined) return { ok: false, code: 'noItem' };
      return { ok: true, item, itemBytes, signer: certificate.identity.text, ...validityOf(certificate) };
    },
    async verifySignature(signature, content, atSeconds) {
      const opened = await openDetachedSignatureAsync(signature, content, certificates, atSeconds);
      if (!opened.ok) return failed(opened);
      return { ok: true, identity: opened.certificate.identity.text, ...validityOf(opened.certificate) };
    },
  };
}
