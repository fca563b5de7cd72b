import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { TrustRootSchema, type TrustRoot } from '@discovery-raft/protocol';
import { EnvelopeError, invalid, requireAtMost } from '../errors.js';
import { sameBytes } from '../same-bytes.js';

/** Most bytes of an encoded trust root: 31 nodes and 128 authorities with the longest names there can be. */
export const MAX_TRUST_ROOT_BYTES = 65_536;
/** Most discovery nodes of a trust root. */
export const MAX_TRUST_ROOT_NODES = 31;
/** Most authorities of a trust root. */
export const MAX_TRUST_ROOT_AUTHORITIES = 128;

/** First field of every encoded root. Listings begin with another text, packets with a byte that no text field has. */
const FORMAT = 'discovery-trust-root-1';
const DIGEST_BYTES = 32;
const MAX_IDENTITY_CHARS = 255;
const MAX_HOST_CHARS = 253;
const PRINTABLE = /^[\x21-\x7e]+$/;
const FINGERPRINT = /^[0-9A-F]{64}$/;

/** What others need to know of a discovery node to reach it. */
export interface NodeEndpoint {
  /** Of its RSA identity: 64 upper-case hex digits. */
  readonly fingerprint: string;
  /** A name or address; an IPv6 address without brackets. */
  readonly host: string;
  /** 1 to 65,535. */
  readonly port: number;
}

/** A discovery node as a trust root names it. */
export interface RootNode {
  readonly identity: string;
  /** Null in the first root, and only there: the files that clients were built with have identities alone. */
  readonly endpoint: NodeEndpoint | null;
}

/** Whom a network believes from a moment on: one version of its trust root. Plain data, immutable. */
export interface TrustRootDocument {
  /** 1 for the root that clients are built with; each successor has the next number. */
  readonly version: number;
  /** SHA-256 of the bytes of the root before, 32 bytes; empty in the first root. */
  readonly previousDigest: Uint8Array;
  /** Unix seconds: directories created from then on are of this root's nodes. 0 in the first root. */
  readonly activation: number;
  /** Name of the network profile: `xpx` or `psp`. */
  readonly profile: string;
  /** How many distinct authorities must have signed a publisher's certificate. */
  readonly threshold: number;
  /** Identities, sorted. */
  readonly authorities: readonly string[];
  /** Sorted by identity; 1 to 31. */
  readonly nodes: readonly RootNode[];
}

/** What a first root is made of: a `TrustRoot` of psp-pki fits. */
export interface FirstRootFacts {
  readonly profile: { readonly name: string };
  readonly authorities: Iterable<string>;
  readonly discoveryNodes: Iterable<string>;
  readonly threshold: number;
}

/** The first version of a network's trust root. @throws EnvelopeError ENVELOPE_INVALID_VALUE, ENVELOPE_TOO_LARGE */
export function firstTrustRoot({ profile, authorities, discoveryNodes, threshold }: FirstRootFacts): TrustRootDocument {
  return normalised({
    version: 1,
    previousDigest: new Uint8Array(0),
    activation: 0,
    profile: profile.name,
    threshold,
    authorities: [...authorities],
    nodes: [...discoveryNodes].map((identity) => ({ identity, endpoint: null })),
  });
}

/** What may differ between a root and its successor. */
export interface RootChange {
  /** Unix seconds, the begin of a slot. */
  readonly activation: number;
  readonly nodes: readonly RootNode[];
  /** Default: as before. */
  readonly authorities?: readonly string[];
  readonly threshold?: number;
}

/**
 * The root that follows `previous`, not signed yet.
 *
 * @param previousDigest SHA-256 of the encoded `previous`
 * @throws EnvelopeError ENVELOPE_INVALID_VALUE, ENVELOPE_TOO_LARGE
 */
export function nextTrustRoot(
  previous: TrustRootDocument,
  previousDigest: Uint8Array,
  change: RootChange,
): TrustRootDocument {
  const { version, profile, threshold, authorities } = previous;
  return normalised({ profile, threshold, authorities, ...change, version: version + 1, previousDigest });
}

/** The bytes that are signed. @throws EnvelopeError ENVELOPE_INVALID_VALUE, ENVELOPE_TOO_LARGE */
export function encodeTrustRoot(document: TrustRootDocument): Uint8Array {
  const { version, previousDigest, activation, profile, threshold, authorities, nodes } = normalised(document);
  const bytes = toBinary(
    TrustRootSchema,
    create(TrustRootSchema, {
      format: FORMAT,
      version: BigInt(version),
      previousDigest,
      activation: BigInt(activation),
      profile,
      threshold,
      authorities: [...authorities],
      nodes: nodes.map(({ identity, endpoint }) => ({ identity, ...endpoint })),
    }),
  );
  requireAtMost('trust root', bytes.length, MAX_TRUST_ROOT_BYTES);
  return bytes;
}

/**
 * Reads an encoded root. Only the one canonical encoding is taken, without any field that this version does not know: who
 * does not understand all that a root says must not act on it.
 *
 * @throws EnvelopeError ENVELOPE_TOO_LARGE, ENVELOPE_MALFORMED, ENVELOPE_INVALID_VALUE
 */
export function decodeTrustRoot(bytes: Uint8Array): TrustRootDocument {
  requireAtMost('trust root', bytes.length, MAX_TRUST_ROOT_BYTES);
  let root: TrustRoot;
  try {
    root = fromBinary(TrustRootSchema, bytes, { readUnknownFields: false });
  } catch (error) {
    throw new EnvelopeError('ENVELOPE_MALFORMED', 'the bytes are no trust root', {}, error);
  }
  if (root.format !== FORMAT) invalid('format', `is not ${FORMAT}`, root.format.slice(0, 64));
  const document = normalised({
    version: Number(root.version),
    previousDigest: root.previousDigest.slice(),
    activation: Number(root.activation),
    profile: root.profile,
    threshold: root.threshold,
    authorities: root.authorities,
    nodes: root.nodes.map(({ identity, fingerprint, host, port }) => ({
      identity,
      endpoint: fingerprint === '' && host === '' && port === 0 ? null : { fingerprint, host, port },
    })),
  });
  if (!sameBytes(encodeTrustRoot(document), bytes)) invalid('trust root', 'is not encoded canonically');
  return document;
}

/** Checks the shape, and sorts what has no order of its own. */
function normalised(document: TrustRootDocument): TrustRootDocument {
  const { version, previousDigest, activation, threshold } = document;
  requireInteger('version', version, 1);
  requireInteger('activation', activation, version === 1 ? 0 : 1);
  requireInteger('threshold', threshold, 1);
  if (version === 1 && activation !== 0) invalid('activation', 'is 0 in the first root', activation);
  const digestBytes = version === 1 ? 0 : DIGEST_BYTES;
  if (previousDigest.length !== digestBytes) invalid('previousDigest', `is not ${digestBytes} bytes long`);
  if (document.profile !== 'xpx' && document.profile !== 'psp') invalid('profile', 'is neither xpx nor psp');
  const authorities = [...document.authorities].sort(byCodeUnits);
  const nodes = [...document.nodes].sort((a, b) => byCodeUnits(a.identity, b.identity));
  requireAtMost('authorities', authorities.length, MAX_TRUST_ROOT_AUTHORITIES);
  requireAtMost('nodes', nodes.length, MAX_TRUST_ROOT_NODES);
  if (nodes.length === 0) invalid('nodes', 'are none');
  requireDistinctNames('authorities', authorities);
  requireDistinctNames(
    'nodes',
    nodes.map(({ identity }) => identity),
  );
  if (authorities.length > 0 && threshold > authorities.length) {
    invalid('threshold', 'is above the number of authorities', threshold);
  }
  for (const { endpoint } of nodes) checkEndpoint(endpoint, version);
  requireDistinctEndpoints(nodes);
  return { ...document, authorities, nodes };
}

function checkEndpoint(endpoint: NodeEndpoint | null, version: number): void {
  if (version === 1) {
    if (endpoint !== null) invalid('nodes', 'of the first root have identities alone');
    return;
  }
  if (endpoint === null) return invalid('nodes', 'need fingerprint, host and port');
  const { fingerprint, host, port } = endpoint;
  if (!FINGERPRINT.test(fingerprint)) invalid('fingerprint', 'is not 64 upper-case hex digits', fingerprint);
  if (host.length > MAX_HOST_CHARS || !PRINTABLE.test(host)) invalid('host', 'is no host', host.slice(0, 64));
  if (!Number.isSafeInteger(port) || port < 1 || port > 65_535) invalid('port', 'is not from 1 to 65,535', port);
}

function requireDistinctEndpoints(nodes: readonly RootNode[]): void {
  const fingerprints = nodes.flatMap(({ endpoint }) => endpoint?.fingerprint ?? []);
  if (new Set(fingerprints).size < fingerprints.length) invalid('fingerprint', 'is that of two nodes');
}

function requireDistinctNames(field: string, sorted: readonly string[]): void {
  sorted.forEach((name, i) => {
    if (name.length > MAX_IDENTITY_CHARS || !PRINTABLE.test(name))
      invalid(field, 'have no identity', name.slice(0, 64));
    if (sorted[i - 1] === name) invalid(field, 'name one identity twice', name);
  });
}

function requireInteger(field: string, value: number, from: number): void {
  if (!Number.isSafeInteger(value) || value < from) invalid(field, `is no whole number from ${from}`, value);
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
