import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { slotAt, slotStart, type SlotCalendar } from '@discovery-raft/discovery-consensus-fsm';
import { DiscoverySignatureSchema, SignedTrustRootSchema, type SignedTrustRoot } from '@discovery-raft/protocol';
import {
  decodeTrustRoot,
  encodeTrustRoot,
  encodeTrustRoots,
  EnvelopeError,
  linkRefusal,
  type TrustRootDocument,
} from '@discovery-raft/psp-envelope';
import { trustRootOf } from '@discovery-raft/psp-pki';
import type { DiscoveryNode } from '../node/discovery-node.js';
import type { AdminResults } from './protocol.js';

/** The trust roots of a node, for whoever proposes, signs or exports one. */
export function getRoots(node: DiscoveryNode, now: number): AdminResults['root.get'] {
  const { chain } = node.roots;
  const { genesisSeconds, slotSeconds } = node.consensus.config;
  const promise = node.consensus.rootPromise;
  const { everyNode } = node.rootService;
  return {
    first: toBase64(encodeTrustRoot(chain.first.document)),
    roots: toBase64(encodeTrustRoots(chain.after(chain.first.document.version, Infinity))),
    nodes: chain.newest.document.nodes.map(({ identity, endpoint }) => ({
      identity,
      endpoint: endpoint ?? endpointOf(everyNode.find((known) => known.identity === identity)),
    })),
    now,
    genesisSeconds,
    slotSeconds,
    signed: promise === null ? null : { version: promise.version, activation: promise.activation },
  };
}

function endpointOf(
  node: { readonly fingerprint: string; readonly host: string; readonly port: number } | undefined,
): AdminResults['root.get']['nodes'][number]['endpoint'] {
  if (node === undefined) return null;
  const { fingerprint, host, port } = node;
  return { fingerprint, host, port };
}

/**
 * Signs a root with this node's key, when it follows from what is known here. The signature is a durable promise: see
 * `signTrustRoot` of the consensus.
 */
export async function signRoot(node: DiscoveryNode, base64: string): Promise<AdminResults['root.sign']> {
  const bytes = Buffer.from(base64, 'base64');
  const document = readDocument(bytes);
  if (document === undefined) return refused('malformed', 'the bytes are no trust root');
  const { chain, crypto } = node.roots;
  const refusal =
    linkRefusal(chain.newest, document) ??
    (chain.newest.document.nodes.some(isSelf(node)) ? undefined : notNamed(node));
  if (refusal !== undefined) return refusal;
  const slot = offSlot(document, node.consensus.config);
  if (slot !== undefined) return slot;
  try {
    trustRootOf(document);
  } catch (error) {
    return refused('unusable', error instanceof Error ? error.message : '');
  }
  const digest = crypto.sha256(bytes);
  const { version, activation } = document;
  const signed = await node.consensus.signTrustRoot({ version, activation, digest }, bytes);
  if (!signed.ok) return refused(signed.reason, 'see `discovery-node root sign --help`');
  return { ok: true, version, activation, signature: toBase64(toBinary(DiscoverySignatureSchema, signed.signature)) };
}

/** Takes a signed root in and tells the others. */
export async function publishRoot(node: DiscoveryNode, base64: string): Promise<AdminResults['root.publish']> {
  const signed = readSigned(Buffer.from(base64, 'base64'));
  if (signed === undefined) return refused('malformed', 'the bytes are no signed trust root');
  const { chain, taken, refused: refusal } = await node.roots.offer([signed], 'the operator');
  if (refusal !== null) return refusal;
  const { version, activation } = chain.newest.document;
  return { ok: true, version, activation, isNew: taken > 0 };
}

const isSelf = (node: DiscoveryNode) => (named: { readonly identity: string }) => named.identity === node.identity;

function notNamed(node: DiscoveryNode): ReturnType<typeof refused> {
  return refused('notNamed', `${node.identity} is no node of the root before: it signs with --joining`);
}

/** Activations are begins of slots, so no round has two roots. */
function offSlot({ activation }: TrustRootDocument, calendar: SlotCalendar): ReturnType<typeof refused> | undefined {
  if (slotStart(calendar, slotAt(calendar, activation)) === activation) return undefined;
  return refused('wrongActivation', `${activation} is not the begin of a slot`);
}

function readDocument(bytes: Uint8Array): TrustRootDocument | undefined {
  try {
    return decodeTrustRoot(bytes);
  } catch (error) {
    if (error instanceof EnvelopeError) return undefined;
    throw error;
  }
}

function readSigned(bytes: Uint8Array): SignedTrustRoot | undefined {
  try {
    return fromBinary(SignedTrustRootSchema, bytes, { readUnknownFields: false });
  } catch {
    // Whatever protobuf says of the bytes, they are none.
    return undefined;
  }
}

function refused(code: string, detail: string): { readonly ok: false; readonly code: string; readonly detail: string } {
  return { ok: false, code, detail };
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
