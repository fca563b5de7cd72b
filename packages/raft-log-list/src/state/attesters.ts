import { sameBytes, type Attestation, type ListSchema } from '../record.js';

/** An attestation together with its certificate as it is known. */
export interface ReadAttestation extends Attestation {
  readonly certificate: KnownCertificate;
}

/** Certificates that are remembered, and sets of attesters. When there are more, all are forgotten. */
const MAX_REMEMBERED = 1024;

/** A certificate, and whom the schema finds in it. */
export interface KnownCertificate {
  readonly bytes: Uint8Array;
  readonly attester: string | undefined;
}

/** Who attested a record, in order, and with which certificates. Shared by all records of which that is true. */
export interface Attesters {
  readonly names: readonly string[];
  readonly certificates: readonly Uint8Array[];
}

/** A set of attesters, and those that have one more. */
interface AttestersNode extends Attesters {
  readonly longer: Map<KnownCertificate, AttestersNode>;
}

/**
 * The names and certificates of attesters. A few nodes attest all records of a list, so what is read of each certificate is
 * remembered, and records share it. Bounded, and nothing depends on what is remembered but time and memory.
 */
export class AttesterBook {
  readonly #schema: ListSchema;
  /** By their hash. */
  readonly #certificates = new Map<number, KnownCertificate>();
  #nobody = emptyNode();
  #nodes = 0;

  constructor(schema: ListSchema) {
    this.#schema = schema;
  }

  /** The attesters of these attestations, in their order. */
  of(attestations: readonly Pick<ReadAttestation, 'attester' | 'certificate'>[]): Attesters {
    let node = this.#nobody;
    for (const { attester, certificate } of attestations) {
      node = node.longer.get(certificate) ?? this.#addTo(node, attester, certificate);
    }
    return node;
  }

  #addTo(node: AttestersNode, attester: string, known: KnownCertificate): AttestersNode {
    const names = [...node.names, attester];
    const longer = { names, certificates: [...node.certificates, known.bytes], longer: new Map() };
    if (++this.#nodes > MAX_REMEMBERED) {
      this.#nobody = emptyNode();
      this.#nodes = 0;
    } else node.longer.set(known, longer);
    return longer;
  }

  /** What is known of a certificate: it names nobody when the schema finds nobody, or throws. */
  find(certificate: Uint8Array): KnownCertificate {
    const key = hashOf(certificate);
    const found = this.#certificates.get(key);
    if (found !== undefined && sameBytes(found.bytes, certificate)) return found;
    if (this.#certificates.size >= MAX_REMEMBERED) this.#certificates.clear();
    const bytes = certificate.slice();
    const known = { bytes, attester: this.#read(bytes) };
    this.#certificates.set(key, known);
    return known;
  }

  #read(certificate: Uint8Array): string | undefined {
    try {
      return this.#schema.attester(certificate) || undefined;
    } catch {
      return undefined;
    }
  }
}

function emptyNode(): AttestersNode {
  return { names: [], certificates: [], longer: new Map() };
}

/** About as many bytes of a certificate are hashed; its signature alone has more that no two certificates have alike. */
const HASHED_BYTES = 32;

/** FNV-1a, 32 bits, over the length and bytes from all over: whoever finds two with one hash makes them take turns, no more. */
function hashOf(bytes: Uint8Array): number {
  const step = 1 + Math.floor(bytes.length / HASHED_BYTES);
  let hash = 0x811c9dc5 ^ bytes.length;
  for (let i = 0; i < bytes.length; i += step) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash;
}
