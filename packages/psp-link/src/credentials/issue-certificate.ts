import { randomBytes, sign, type KeyObject } from 'node:crypto';
import { der, derTime, Tag } from './der.js';

/** What goes into an X.509 certificate of this package. */
export interface CertificateOptions {
  /** Common name of the holder. */
  readonly subject: string;
  /** Common name of the issuer. */
  readonly issuer: string;
  /** RSA, public. */
  readonly publicKey: KeyObject;
  /** RSA, private, the issuer's. */
  readonly issuerKey: KeyObject;
  /** Unix seconds, both inclusive. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Whether the holder may sign certificates. */
  readonly authority: boolean;
}

/** sha256WithRSAEncryption, 1.2.840.113549.1.1.11. */
const SHA256_WITH_RSA = Uint8Array.of(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b);
/** id-at-commonName, 2.5.4.3. */
const COMMON_NAME = Uint8Array.of(0x55, 0x04, 0x03);
/** id-ce-basicConstraints, 2.5.29.19. */
const BASIC_CONSTRAINTS = Uint8Array.of(0x55, 0x1d, 0x13);
const TRUE = der(Tag.boolean, Uint8Array.of(0xff));

/**
 * Makes an X.509 v3 certificate, signed with SHA-256 and RSA.
 *
 * node:crypto reads certificates and cannot write them. Writing these few fields is short; the libraries that do it need
 * a polyfill that changes a global object.
 *
 * @returns DER
 */
export function issueCertificate(options: CertificateOptions): Uint8Array {
  const algorithm = der(Tag.sequence, der(Tag.objectId, SHA256_WITH_RSA), der(Tag.null));
  const content = der(
    Tag.sequence,
    der(Tag.version, der(Tag.integer, Uint8Array.of(2))),
    der(Tag.integer, serialNumber()),
    algorithm,
    nameOf(options.issuer),
    der(Tag.sequence, derTime(options.notBefore), derTime(options.notAfter)),
    nameOf(options.subject),
    options.publicKey.export({ type: 'spki', format: 'der' }),
    der(Tag.extensions, der(Tag.sequence, basicConstraints(options.authority))),
  );
  const signature = sign('sha256', content, options.issuerKey);
  return der(Tag.sequence, content, algorithm, der(Tag.bitString, Uint8Array.of(0), signature));
}

/** 16 random bytes that make a positive number without leading zeros. */
function serialNumber(): Uint8Array {
  const bytes = new Uint8Array(randomBytes(16));
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes;
}

function nameOf(commonName: string): Uint8Array {
  const attribute = der(Tag.sequence, der(Tag.objectId, COMMON_NAME), der(Tag.utf8String, Buffer.from(commonName)));
  return der(Tag.sequence, der(Tag.set, attribute));
}

function basicConstraints(authority: boolean): Uint8Array {
  const value = der(Tag.octetString, authority ? der(Tag.sequence, TRUE) : der(Tag.sequence));
  return der(Tag.sequence, der(Tag.objectId, BASIC_CONSTRAINTS), TRUE, value);
}
