import { create } from '@bufbuild/protobuf';
import { DiscoverySignatureSchema, SignedTrustRootSchema, type SignedTrustRoot } from '@discovery-raft/protocol';
import { decodeTrustRoot, encodeTrustRoot, firstTrustRoot, type TrustRootDocument } from '@discovery-raft/psp-envelope';
import { trustRootOf, type TrustRoot } from '@discovery-raft/psp-pki';
import { z } from 'zod';
import { readBounded } from '../directory/durable-file.js';
import { NodeError } from '../errors.js';

const MAX_BYTES = 1 << 20;

const identity = z.string().max(255);
const reachable = z.strictObject({
  identity,
  fingerprint: z.string().max(64),
  host: z.string().max(253),
  port: z.int(),
});

const documentSchema = z.strictObject({
  version: z.int().min(1).default(1),
  /** Hex. */
  previousDigest: z
    .string()
    .regex(/^([0-9a-f]{64})?$/, 'expected 64 lower-case hex digits')
    .default(''),
  activation: z.int().min(0).default(0),
  profile: z.enum(['xpx', 'psp']).default('xpx'),
  threshold: z.int().min(1).default(3),
  authorities: z.array(identity).max(1000),
  discoveryNodes: z.union([z.array(identity).min(1).max(31), z.array(reachable).min(1).max(31)]),
});

const base64 = z.base64().max(16_384);
const signedSchema = z.strictObject({
  trustRoot: documentSchema,
  signatures: z.array(z.strictObject({ certificate: base64, signature: base64 })).max(64),
});

/** A trust root as JSON. */
export type TrustRootJson = z.output<typeof documentSchema>;

/** A trust root as plain JSON. That of a first version is as ever; later ones have their number and say where nodes are. */
export function trustRootJson(root: TrustRoot | TrustRootDocument): Partial<TrustRootJson> {
  const document = 'nodes' in root ? root : firstTrustRoot(root);
  const { version, previousDigest, activation, profile, threshold, authorities, nodes } = document;
  const later = { version, previousDigest: Buffer.from(previousDigest).toString('hex'), activation };
  const where = nodes.flatMap((node) =>
    node.endpoint === null ? [] : [{ identity: node.identity, ...node.endpoint }],
  );
  return {
    ...(version === 1 ? {} : later),
    profile: profile as TrustRootJson['profile'],
    threshold,
    authorities: [...authorities],
    discoveryNodes: version === 1 ? nodes.map((node) => node.identity) : where,
  };
}

/** A trust root as the text of its file: JSON, public. */
export function formatTrustRoot(root: TrustRoot | TrustRootDocument): string {
  return `${JSON.stringify(trustRootJson(root), null, 2)}\n`;
}

/** Reads a trust root. @throws NodeError NODE_KEYS_UNREADABLE, which says what is wrong with the file */
export async function readTrustRoot(file: string): Promise<TrustRoot> {
  return trustRootOf(await readRootDocument(file));
}

/** Reads a version of a trust root. @throws NodeError NODE_KEYS_UNREADABLE, which says what is wrong with the file */
export function readRootDocument(file: string): Promise<TrustRootDocument> {
  return readJson(file, documentSchema, documentOf);
}

/** A root with its signatures so far, as the text of the file that goes from operator to operator. */
export function formatSignedRoot({ root, signatures }: SignedTrustRoot): string {
  const content = {
    trustRoot: trustRootJson(decodeTrustRoot(root)),
    signatures: signatures.map(({ certificate, signature }) => ({
      certificate: Buffer.from(certificate).toString('base64'),
      signature: Buffer.from(signature).toString('base64'),
    })),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/**
 * Reads such a file. What is signed follows from what can be read in it, so nobody signs other than what is shown.
 *
 * @throws NodeError NODE_KEYS_UNREADABLE
 */
export function readSignedRoot(file: string): Promise<SignedTrustRoot> {
  return readJson(file, signedSchema, ({ trustRoot, signatures }) =>
    create(SignedTrustRootSchema, {
      root: encodeTrustRoot(documentOf(trustRoot)),
      signatures: signatures.map(({ certificate, signature }) =>
        create(DiscoverySignatureSchema, {
          certificate: Buffer.from(certificate, 'base64'),
          signature: Buffer.from(signature, 'base64'),
        }),
      ),
    }),
  );
}

function documentOf(json: TrustRootJson): TrustRootDocument {
  const { discoveryNodes, previousDigest, ...rest } = json;
  const nodes = discoveryNodes.map((node) => {
    if (typeof node === 'string') return { identity: node, endpoint: null };
    const { identity: name, ...endpoint } = node;
    return { identity: name, endpoint };
  });
  const document = { ...rest, previousDigest: new Uint8Array(Buffer.from(previousDigest, 'hex')), nodes };
  // Judged by its encoding and by its names, so that no other place has to.
  trustRootOf(document);
  return decodeTrustRoot(encodeTrustRoot(document));
}

async function readJson<S extends z.ZodType, T>(file: string, schema: S, make: (json: z.output<S>) => T): Promise<T> {
  try {
    const bytes = await readBounded(file, MAX_BYTES);
    const parsed = schema.safeParse(JSON.parse(bytes.toString('utf8')));
    if (!parsed.success) throw new Error(z.prettifyError(parsed.error).replaceAll('\n', ' '));
    return make(parsed.data);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new NodeError('NODE_KEYS_UNREADABLE', `the trust root ${file} cannot be used: ${why}`, { file }, cause);
  }
}
