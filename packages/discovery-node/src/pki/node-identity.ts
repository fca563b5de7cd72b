import { create } from '@bufbuild/protobuf';
import type { Signer } from '@discovery-raft/discovery-consensus-fsm';
import { DiscoverySignatureSchema, type DiscoverySignature } from '@discovery-raft/protocol';
import { createMember, type FlatCertificate, type NetworkProfile, type SigningKey } from '@discovery-raft/psp-pki';
import { NodeError } from '../errors.js';

/** Who a discovery node is: its identity, and the certificate with the key that signs for it. */
export interface NodeIdentity {
  /** `namespace.discovery.node.key`. */
  readonly identity: string;
  readonly certificate: FlatCertificate;
  /** The private half of the certificate's key. */
  readonly key: SigningKey;
}

/** What {@link createNodeIdentity} takes. Times are Unix seconds, both ends inclusive. */
export interface NodeIdentityOptions {
  /** Sub-namespace: `discovery` for a discovery node, `auth` for an authority. */
  readonly role: 'discovery' | 'auth';
  readonly masterKey: SigningKey;
  /** Signs day by day; may be replaced by a new certificate without a new identity. */
  readonly signingKey: SigningKey;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly profile?: NetworkProfile;
}

/** An identity with a self-signed certificate, as discovery nodes and authorities have it. @throws PkiError */
export function createNodeIdentity(options: NodeIdentityOptions): NodeIdentity {
  const { role: subNamespace, ...rest } = options;
  const { identity, certificate, key } = createMember({ subNamespace, ...rest });
  return { identity, certificate, key };
}

/** Above this, signing takes longer than handing the bytes to another thread. */
const MAX_BYTES_HERE = 65_536;

/**
 * Signs for a node: what is small on this thread, since handing it to another one costs more than the signature (31 us); a
 * listing, of which every byte is hashed twice, on another one.
 */
export class NodeSigner implements Signer {
  readonly identity: string;
  #node: NodeIdentity;

  constructor(node: NodeIdentity) {
    this.identity = node.identity;
    this.#node = node;
  }

  /**
   * Signs with another certificate and key of the same identity from now on.
   *
   * @throws NodeError NODE_KEYS_UNREADABLE for those of another identity
   */
  use(node: NodeIdentity): void {
    if (node.identity !== this.identity) {
      throw new NodeError('NODE_KEYS_UNREADABLE', 'the new certificate is of another identity', {
        identity: node.identity,
      });
    }
    this.#node = node;
  }

  async sign(bytes: Uint8Array): Promise<DiscoverySignature> {
    const { certificate, key } = this.#node;
    const signature = bytes.length > MAX_BYTES_HERE ? await key.signAsync(bytes) : key.sign(bytes);
    return create(DiscoverySignatureSchema, { certificate: certificate.bytes, signature });
  }
}
