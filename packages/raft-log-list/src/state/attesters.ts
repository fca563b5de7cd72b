import { sameBytes, type Attestation, type ListSchema } from '../record.js';

/** An attestation together with its certificate as it is known. */
export interface ReadAttestation extends Attestation {
  readonly certificate: KnownCertificate;
}

/** Certificates that are remembered, and sets of attesters. When there are more, all are forgotten. */
const MAX_REMEMBERED = 1024;
/** Certificates of one hash that are remembered; the oldest of them goes first. */
const MAX_ALIKE = 8;

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
  /** By their hash, which several may have. */
  readonly #certificates = new Map<number, KnownCertificate[]>();
  #remembered = 0;
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
    const found = this.#certificates.get(key)?.find(({ bytes }) => sameBytes(bytes, certificate));
    if (found !== undefined) return found;
    const bytes = certificate.slice();
    const known = { bytes, attester: this.#read(bytes) };
    this.#remember(key, known);
    return known;
  }

  #remember(key: number, known: KnownCertificate): void {
    if (this.#remembered >= MAX_REMEMBERED) {
      this.#certificates.clear();
      this.#remembered = 0;
    }
    const alike = this.#certificates.get(key) ?? [];
    if (alike.length === 0) this.#certificates.set(key, alike);
    alike.push(known);
    if (alike.length > MAX_ALIKE) alike.shift();
    else this.#remembered++;
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

/** About as many bytes of a certificate are hashed; the signature of a real one has more that no other has. */
const HASHED_BYTES = 32;

/** FNV-1a, 32 bits, over the length and bytes from all over. Certificates that differ elsewhere only have one hash. */
function hashOf(bytes: Uint8Array): number {
  const step = 1 + Math.floor(bytes.length / HASHED_BYTES);
  let hash = 0x811c9dc5 ^ bytes.length;
  for (let i = 0; i < bytes.length; i += step) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash;
}
