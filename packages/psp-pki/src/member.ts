import type { FlatCertificate, Validity } from './certificate.js';
import { SigningKey } from './ed25519.js';
import { createIdentity } from './identity.js';
import { issueRegularCertificate, issueSelfSignedCertificate, type Authority } from './issue.js';
import { XPX_PROFILE, type NetworkProfile } from './profile.js';

/** What {@link createMember} takes. */
export interface MemberOptions extends Validity {
  /** What it is: `onion` for a relay, `discovery` for a discovery node, `auth` for an authority. */
  readonly subNamespace: string;
  /**
   * Who vouches for it, as a relay needs. Left out, the certificate is self-signed: those of authorities and discovery
   * nodes are, which the trust root names.
   */
  readonly authorities?: readonly Authority[];
  /** Its identity for life; may be kept elsewhere from then on. Default: a new one. */
  readonly masterKey?: SigningKey;
  /** Signs day by day. Default: a new one. */
  readonly signingKey?: SigningKey;
  /** Default {@link XPX_PROFILE}. */
  readonly profile?: NetworkProfile;
}

/** Somebody of the network: an identity, its certificate, and the keys of both. */
export interface Member {
  /** `namespace.sub-namespace.node.key`. */
  readonly identity: string;
  readonly certificate: FlatCertificate;
  /** The private half of the certificate's key. */
  readonly key: SigningKey;
  readonly masterKey: SigningKey;
}

/** Makes an identity and a certificate for it. @throws PkiError `PKI_INVALID_ARGUMENT`, `PKI_IDENTITY_MALFORMED` */
export function createMember(options: MemberOptions): Member {
  const { subNamespace, authorities, notBefore, notAfter, profile = XPX_PROFILE } = options;
  const { masterKey = SigningKey.generate(), signingKey: key = SigningKey.generate() } = options;
  const identity = createIdentity({
    namespace: profile.systemNamespace,
    subNamespace,
    type: 'node',
    publicKey: masterKey.publicKey,
  });
  const request = { identity, masterKey, publicKey: key.publicKey, notBefore, notAfter };
  const certificate =
    authorities === undefined ? issueSelfSignedCertificate(request) : issueRegularCertificate(request, authorities);
  return { identity: identity.text, certificate, key, masterKey };
}
