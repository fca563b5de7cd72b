import { createPublicKey, generateKeyPair, X509Certificate, type KeyObject } from 'node:crypto';
import { fingerprintOfRsaKey, formatFingerprint } from '@discovery-raft/psp-pki';
import { LinkError } from '../errors.js';
import { issueCertificate } from './issue-certificate.js';

/**
 * The RSA keys and X.509 certificates with which a node proves who it is (WIRE.md, section 4). The identity stays; the
 * other two are signed by it and can be renewed at any time.
 */
export interface LinkCredentials {
  /** DER, self-signed. The fingerprint of its key names the node. */
  readonly identityCertificate: Uint8Array;
  /** RSA, private. Signs the two others; no connection needs it. */
  readonly identityKey: KeyObject;
  /** DER, signed by the identity: the certificate of the node's TLS listener. */
  readonly linkCertificate: Uint8Array;
  readonly linkKey: KeyObject;
  /** DER, signed by the identity: its key signs the authentication when this node dials. */
  readonly authenticateCertificate: Uint8Array;
  readonly authenticateKey: KeyObject;
}

/** Options of {@link generateLinkCredentials}. */
export interface GenerateCredentialsOptions {
  /** Unix seconds, both inclusive. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Bits of new RSA keys, 2,048 to 8,192. Default 3,072. */
  readonly keyBits?: number;
  /** An RSA private key that the node has already: its fingerprint stays. Left out: a new one. */
  readonly identityKey?: KeyObject;
}

/**
 * Makes credentials: a new link and a new authenticate key with their certificates, and, unless `identityKey` is given, a
 * new identity. Three keys of 3,072 bits take about a second, in libuv's threads.
 *
 * @throws LinkError LINK_INVALID_OPTION
 */
export async function generateLinkCredentials(options: GenerateCredentialsOptions): Promise<LinkCredentials> {
  const { notBefore, notAfter, keyBits = 3072 } = options;
  if (!Number.isInteger(keyBits) || keyBits < 2048 || keyBits > 8192) throw badOption('keyBits', keyBits);
  if (!Number.isInteger(notBefore) || notBefore < 0) throw badOption('notBefore', notBefore);
  // The year 9999 is the last that a certificate can name.
  if (!Number.isInteger(notAfter) || notAfter <= notBefore || notAfter > 253_402_300_799) {
    throw badOption('notAfter', notAfter);
  }
  if (options.identityKey !== undefined && !isRsaPrivate(options.identityKey)) throw badOption('identityKey', 'no RSA');
  const [identityKey, linkKey, authenticateKey] = await Promise.all([
    options.identityKey ?? newRsaKey(keyBits),
    newRsaKey(keyBits),
    newRsaKey(keyBits),
  ]);
  const certify = (subject: string, key: KeyObject): Uint8Array =>
    issueCertificate({
      subject,
      issuer: 'identity',
      publicKey: createPublicKey(key),
      issuerKey: identityKey,
      notBefore,
      notAfter,
      authority: subject === 'identity',
    });
  return {
    identityCertificate: certify('identity', identityKey),
    identityKey,
    linkCertificate: certify('link', linkKey),
    linkKey,
    authenticateCertificate: certify('authenticate', authenticateKey),
    authenticateKey,
  };
}

/**
 * The fingerprint of a node as text: upper-case hex of 32 bytes.
 *
 * @throws LinkError LINK_BAD_CREDENTIALS
 */
export function fingerprintOfCredentials(credentials: Pick<LinkCredentials, 'identityCertificate'>): string {
  return formatFingerprint(fingerprintOfRsaKey(ownKeyOf(credentials.identityCertificate, 'identityCertificate')));
}

/** Last second at which every certificate of these credentials is valid: when to have renewed them. Unix seconds. */
export function credentialsExpireAt(credentials: LinkCredentials): number {
  return Math.min(
    ...[credentials.identityCertificate, credentials.linkCertificate, credentials.authenticateCertificate].map((cert) =>
      Math.floor(Date.parse(readOwn(cert, 'certificate').validTo) / 1000),
    ),
  );
}

/**
 * Checks that each key is the key of its certificate, and that the identity signed all three.
 *
 * @throws LinkError LINK_BAD_CREDENTIALS; `details.field` names what is wrong
 */
export function checkCredentials(credentials: LinkCredentials): void {
  const identity = ownKeyOf(credentials.identityCertificate, 'identityCertificate');
  const pairs = [
    ['identity', credentials.identityCertificate, credentials.identityKey],
    ['link', credentials.linkCertificate, credentials.linkKey],
    ['authenticate', credentials.authenticateCertificate, credentials.authenticateKey],
  ] as const;
  for (const [name, bytes, key] of pairs) {
    const certificate = readOwn(bytes, `${name}Certificate`);
    if (!isRsaPrivate(key)) throw badCredentials(`the ${name} key is no RSA private key`, `${name}Key`);
    if (!certificate.checkPrivateKey(key)) {
      throw badCredentials(`the ${name} key is not the key of its certificate`, `${name}Key`);
    }
    if (!certificate.verify(identity)) {
      throw badCredentials(`the identity did not sign the ${name} certificate`, `${name}Certificate`);
    }
  }
}

function newRsaKey(modulusLength: number): Promise<KeyObject> {
  return new Promise((resolve, reject) => {
    generateKeyPair('rsa', { modulusLength, publicExponent: 0x10001 }, (error, _publicKey, privateKey) => {
      if (error === null) resolve(privateKey);
      else reject(error);
    });
  });
}

function isRsaPrivate(key: KeyObject): boolean {
  return key.type === 'private' && key.asymmetricKeyType === 'rsa';
}

function readOwn(bytes: Uint8Array, field: string): X509Certificate {
  try {
    return new X509Certificate(bytes);
  } catch (cause) {
    throw badCredentials('a certificate cannot be read', field, cause);
  }
}

function ownKeyOf(bytes: Uint8Array, field: string): KeyObject {
  const key = readOwn(bytes, field).publicKey;
  if (key.asymmetricKeyType !== 'rsa') throw badCredentials('the key is not RSA', field);
  return key;
}

function badCredentials(message: string, field: string, cause?: unknown): LinkError {
  return new LinkError('LINK_BAD_CREDENTIALS', message, { field }, cause);
}

function badOption(option: string, found: unknown): LinkError {
  return new LinkError('LINK_INVALID_OPTION', `${option} is out of its range`, { option, found });
}
