import type { Signer } from '@discovery-raft/discovery-consensus-fsm';
import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { PacketSignature } from '@discovery-raft/psp-envelope';
import {
  createMember,
  type FlatCertificate,
  type NetworkProfile,
  type SigningKey,
  type VerifyPool,
} from '@discovery-raft/psp-pki';
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

/** Without a pool: above this, signing takes longer than handing the bytes to another thread. */
const MAX_BYTES_HERE = 65_536;

/**
 * Signs for a node: on the threads of a pool, many signatures to a message. Without one, what is small on this thread, since
 * handing a single signature over costs more than making it (31 us); a listing, of which every byte is hashed twice, in
 * libuv's pool.
 */
export class NodeSigner implements Signer {
  readonly identity: string;
  #node: NodeIdentity;
  readonly #pool: VerifyPool | undefined;

  constructor(node: NodeIdentity, pool?: VerifyPool) {
    this.identity = node.identity;
    this.#node = node;
    this.#pool = pool;
  }

  /**
   * Signs with another certificate and key of the same identity from now on; the pool forgets the key before.
   *
   * @throws NodeError NODE_KEYS_UNREADABLE for those of another identity
   */
  use(node: NodeIdentity): void {
    if (node.identity !== this.identity) {
      throw new NodeError('NODE_KEYS_UNREADABLE', 'the new certificate is of another identity', {
        identity: node.identity,
      });
    }
    const { key } = this.#node;
    this.#node = node;
    if (key !== node.key) void this.#pool?.forget(key);
  }

  /** Signs on this thread, about 40 us: for what is short and must keep its order. */
  signAtOnce(bytes: Uint8Array): PacketSignature {
    const { certificate, key } = this.#node;
    return { certificate: certificate.bytes, signature: key.sign(bytes) };
  }

  sign(bytes: Uint8Array): Promise<DiscoverySignature> {
    return new Promise((resolve, reject) => this.signThen(bytes, resolve, reject));
  }

  signThen(bytes: Uint8Array, tell: (signature: DiscoverySignature) => void, failed: (error: unknown) => void): void {
    const { certificate, key } = this.#node;
    const made = (signature: Uint8Array): void =>
      tell({ $typeName: 'protocol.DiscoverySignature', certificate: certificate.bytes, signature });
    if (this.#pool !== undefined) this.#pool.signThen(key, bytes, made, failed);
    else if (bytes.length > MAX_BYTES_HERE) key.signAsync(bytes).then(made, failed);
    else made(key.sign(bytes));
  }
}
