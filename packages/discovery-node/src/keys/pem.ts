import { createPrivateKey } from 'node:crypto';
import { parseCertificate, SigningKey, type FlatCertificate } from '@discovery-raft/psp-pki';
import { NodeError } from '../errors.js';

const CERTIFICATE_LABEL = 'PSP CERTIFICATE';
const KEY_LABEL = 'PRIVATE KEY';
/** PKCS#8 of an Ed25519 key is these bytes and then the seed (RFC 8410, section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** An Ed25519 seed as PKCS#8 PEM, which OpenSSL reads too. Key material: for private files only. */
export function seedToPem(seed: Uint8Array): string {
  return toPem(KEY_LABEL, Buffer.concat([PKCS8_PREFIX, seed]));
}

/** The key of the PEM's first Ed25519 private key. @throws NodeError NODE_KEYS_UNREADABLE */
export function signingKeyOfPem(pem: string, file: string): SigningKey {
  const block = blockOf(pem, KEY_LABEL, file);
  try {
    const key = createPrivateKey({ key: block, format: 'der', type: 'pkcs8' });
    const { d } = key.export({ format: 'jwk' });
    if (key.asymmetricKeyType !== 'ed25519' || d === undefined) throw new Error('it is no Ed25519 key');
    return SigningKey.fromSeed(Buffer.from(d, 'base64url'));
  } catch {
    // The cause is left out: what the parser says may quote what it read.
    throw new NodeError('NODE_KEYS_UNREADABLE', `${file} holds no Ed25519 private key`, { file });
  }
}

/** A flat certificate of WIRE section 5 as PEM. */
export function certificateToPem(certificate: FlatCertificate): string {
  return toPem(CERTIFICATE_LABEL, certificate.bytes);
}

/** The PEM's first flat certificate. @throws NodeError NODE_KEYS_UNREADABLE */
export function certificateOfPem(pem: string, file: string): FlatCertificate {
  const block = blockOf(pem, CERTIFICATE_LABEL, file);
  try {
    return parseCertificate(block);
  } catch (cause) {
    throw new NodeError('NODE_KEYS_UNREADABLE', `${file} holds a damaged certificate`, { file }, cause);
  }
}

function toPem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function blockOf(pem: string, label: string, file: string): Buffer {
  const begin = pem.indexOf(`-----BEGIN ${label}-----`);
  const end = pem.indexOf(`-----END ${label}-----`, begin);
  if (begin < 0 || end < 0) {
    throw new NodeError('NODE_KEYS_UNREADABLE', `${file} has no block "${label}"`, { file });
  }
  const text = pem.slice(begin + `-----BEGIN ${label}-----`.length, end);
  return Buffer.from(text.replaceAll(/\s/g, ''), 'base64');
}
