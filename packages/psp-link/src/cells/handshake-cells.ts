import { LinkError } from '../errors.js';
import { malformed, PayloadReader } from './payload-reader.js';

/** The version of the protocol that this package speaks. */
export const PROTOCOL_VERSION = 1;

/** Types of certificates in a certs cell. */
export const CertificateType = { link: 1, identity: 2, authenticate: 3 } as const;

/** Name of a type of certificate. */
export type CertificateTypeName = keyof typeof CertificateType;

/** Certificates of a certs cell: DER X.509, at most one a type. */
export type CellCertificates = { readonly [Type in CertificateTypeName]?: Uint8Array };

/** Ways in which the responder lets the initiator go on. */
export const AuthenticationMethod = { rsaSha256TlsSecret: 1, allowBypass: 2 } as const;

/** What an authChallenge cell holds. */
export interface AuthChallenge {
  /** 32 random bytes. */
  readonly challenge: Uint8Array;
  /** Numbers of methods, unknown ones among them. */
  readonly methods: readonly number[];
}

/** Bytes of a challenge. */
export const CHALLENGE_BYTES = 32;

const TYPE_NAMES = new Map<number, CertificateTypeName>(
  Object.entries(CertificateType).map(([name, number]) => [number, name as CertificateTypeName]),
);

/** Payload of a versions cell: 2 bytes a version. */
export function encodeVersions(versions: readonly number[]): Uint8Array {
  const payload = new Uint8Array(2 * versions.length);
  const view = new DataView(payload.buffer);
  versions.forEach((version, i) => view.setUint16(2 * i, version));
  return payload;
}

/**
 * The highest version that both ends speak.
 *
 * @param payload of the peer's versions cell
 * @throws LinkError LINK_MALFORMED, LINK_NO_COMMON_VERSION
 */
export function agreeOnVersion(payload: Uint8Array, own: readonly number[] = [PROTOCOL_VERSION]): number {
  if (payload.length % 2 !== 0) throw malformed('a version has two bytes', 'versions');
  const reader = new PayloadReader(payload);
  let best = 0;
  while (reader.remaining > 0) {
    const version = reader.uint('version', 2);
    if (version > best && own.includes(version)) best = version;
  }
  if (best === 0) throw new LinkError('LINK_NO_COMMON_VERSION', 'the peer speaks no version of ours');
  return best;
}

/** Payload of a certs cell, in the order of their types. @throws LinkError LINK_TOO_LARGE over 65,535 bytes each */
export function encodeCerts(certificates: CellCertificates): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, type] of Object.entries(CertificateType)) {
    const der = certificates[name as CertificateTypeName];
    if (der === undefined) continue;
    if (der.length > 0xffff) throw new LinkError('LINK_TOO_LARGE', 'a certificate is over 65,535 bytes', { name });
    parts.push(Uint8Array.of(type, der.length >> 8, der.length), der);
  }
  return new Uint8Array(Buffer.concat([Uint8Array.of(parts.length / 2), ...parts]));
}

/**
 * The certificates of a certs cell; views of the payload. Types that are not known, and bytes past the last certificate,
 * are ignored.
 *
 * @throws LinkError LINK_MALFORMED, also when a type comes twice
 */
export function decodeCerts(payload: Uint8Array): CellCertificates {
  const reader = new PayloadReader(payload);
  const found: { [Type in CertificateTypeName]?: Uint8Array } = {};
  for (let left = reader.uint('count of certificates', 1); left > 0; left--) {
    const name = TYPE_NAMES.get(reader.uint('type of a certificate', 1));
    const der = reader.bytes('certificate', reader.uint('length of a certificate', 2));
    if (name === undefined) continue;
    if (found[name] !== undefined) throw malformed(`there are two ${name} certificates`, 'certs');
    found[name] = der;
  }
  return found;
}

/** Payload of an authChallenge cell. */
export function encodeAuthChallenge({ challenge, methods }: AuthChallenge): Uint8Array {
  const payload = new Uint8Array(CHALLENGE_BYTES + 2 + 2 * methods.length);
  payload.set(challenge);
  const view = new DataView(payload.buffer);
  view.setUint16(CHALLENGE_BYTES, methods.length);
  methods.forEach((method, i) => view.setUint16(CHALLENGE_BYTES + 2 + 2 * i, method));
  return payload;
}

/** What an authChallenge cell says; the challenge is a view. @throws LinkError LINK_MALFORMED */
export function decodeAuthChallenge(payload: Uint8Array): AuthChallenge {
  const reader = new PayloadReader(payload);
  const challenge = reader.bytes('challenge', CHALLENGE_BYTES);
  const count = reader.uint('count of methods', 2);
  if (2 * count !== reader.remaining) throw malformed('the count of methods is not the methods there', 'authChallenge');
  return { challenge, methods: Array.from({ length: count }, () => reader.uint('method', 2)) };
}

/** Payload of an authenticate cell of type 1. */
export function encodeAuthenticate(authentication: Uint8Array): Uint8Array {
  const payload = new Uint8Array(4 + authentication.length);
  const view = new DataView(payload.buffer);
  view.setUint16(0, AuthenticationMethod.rsaSha256TlsSecret);
  view.setUint16(2, authentication.length);
  payload.set(authentication, 4);
  return payload;
}

/**
 * The authentication of an authenticate cell; a view.
 *
 * @throws LinkError LINK_MALFORMED; LINK_NO_COMMON_VERSION for another type than 1
 */
export function decodeAuthenticate(payload: Uint8Array): Uint8Array {
  const reader = new PayloadReader(payload);
  const type = reader.uint('type of authentication', 2);
  if (type !== AuthenticationMethod.rsaSha256TlsSecret) {
    throw new LinkError('LINK_NO_COMMON_VERSION', 'this type of authentication is not known', { type });
  }
  const authentication = reader.bytes('authentication', reader.uint('length of the authentication', 2));
  reader.end('the authentication');
  return authentication;
}
