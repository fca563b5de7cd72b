import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

import {
  SigningKey,
  createIdentity,
  createTrustRoot,
  issueRegularCertificate,
  issueSelfSignedCertificate,
  type Authority,
  type FlatCertificate,
  type Identity,
} from '../src/index.js';
import { NOT_AFTER, NOT_BEFORE } from './vectors.js';

/** A member of a small network made for a test: its identity, the key of that identity, and the key of its certificate. */
export interface Member {
  readonly identity: Identity;
  readonly master: SigningKey;
  readonly key: SigningKey;
}

/** The key that a name stands for: the same in every run. */
export function keyOf(name: string): SigningKey {
  return SigningKey.fromSeed(createHash('sha256').update(name).digest());
}

export function member(name: string, subNamespace = 'onion', namespace = 'xpx'): Member {
  const master = keyOf(`master of ${name}`);
  const identity = createIdentity({ namespace, subNamespace, type: 'node', publicKey: master.publicKey });
  return { identity, master, key: keyOf(`key of ${name}`) };
}

export interface Terms {
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly payload?: Uint8Array;
}

function request(holder: Member, terms: Terms) {
  const { identity, master: masterKey, key } = holder;
  return { identity, masterKey, publicKey: key.publicKey, notBefore: NOT_BEFORE, notAfter: NOT_AFTER, ...terms };
}

export function selfSigned(holder: Member, terms: Terms = {}): FlatCertificate {
  return issueSelfSignedCertificate(request(holder, terms));
}

export function authority(name: string, terms: Terms = {}): Authority {
  const holder = member(name, 'auth');
  return { certificate: selfSigned(holder, terms), key: holder.key };
}

export function regular(holder: Member, authorities: readonly Authority[], terms: Terms = {}): FlatCertificate {
  return issueRegularCertificate(request(holder, terms), authorities);
}

export const AUTHORITIES = ['anna', 'bert', 'cleo', 'dora'].map((name) => authority(name));
export const [ANNA, BERT, CLEO, DORA] = AUTHORITIES as [Authority, Authority, Authority, Authority];
export const NODE = member('discovery one', 'discovery');
export const RELAY = member('relay');

/** Four authorities of which three must sign, and one discovery node. */
export const ROOT = createTrustRoot({
  authorities: AUTHORITIES.map((one) => one.certificate.identity.text),
  discoveryNodes: [NODE.identity.text],
});

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length < 128) return Buffer.concat([Buffer.of(tag, body.length), body]);
  const length = body.length < 256 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...length), body]);
}

/** A minimal self-signed X.509 for an RSA key. */
function x509Of(privateKey: KeyObject): Uint8Array {
  const algorithm = der(0x30, Buffer.from('06092a864886f70d01010b0500', 'hex'));
  const name = der(0x30, der(0x31, der(0x30, Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from('node')))));
  const validity = der(0x30, der(0x17, Buffer.from('240101000000Z')), der(0x17, Buffer.from('400101000000Z')));
  const spki = createPublicKey(privateKey.export({ type: 'pkcs8', format: 'pem' })).export({
    type: 'spki',
    format: 'der',
  });
  const version = der(0xa0, Buffer.of(2, 1, 2));
  const content = der(0x30, version, Buffer.of(2, 1, 1), algorithm, name, validity, name, spki);
  const signature = der(0x03, Buffer.of(0), sign('sha256', content, privateKey));
  return new Uint8Array(der(0x30, content, algorithm, signature));
}

/** A new RSA key and its X.509. */
export function rsaIdentity(modulusLength = 2_048): { privateKey: KeyObject; x509: Uint8Array } {
  const { privateKey: pem } = generateKeyPairSync('rsa', {
    modulusLength,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const privateKey = createPrivateKey(pem);
  return { privateKey, x509: x509Of(privateKey) };
}
