import type { SignedTrustRoot } from '@discovery-raft/protocol';
import {
  decodeTrustRoot,
  type RootTally,
  type TrustRootChain,
  type TrustRootDocument,
} from '@discovery-raft/psp-envelope';
import { peekCertificateIdentity, PkiError } from '@discovery-raft/psp-pki';
import { formatFacts, formatTable, formatTime, shortIdentity } from '../table.js';

/** A root for people. */
export function rootText({ version, activation, authorities, threshold, nodes }: TrustRootDocument): string {
  const facts = formatFacts([
    ['version', String(version)],
    ['in force', version === 1 ? 'always' : `from ${formatTime(activation)}`],
    ['authorities', `${threshold} of ${authorities.map(shortIdentity).join(', ')}`],
  ]);
  const rows = nodes.map(({ identity, endpoint }) =>
    endpoint === null
      ? [identity, '', '']
      : [identity, `${endpoint.host}:${endpoint.port}`, `${endpoint.fingerprint.slice(0, 16)}…`],
  );
  return `${facts}\n${formatTable(['node', 'address', 'fingerprint'], rows)}`;
}

/** A chain for people: each version in a line. */
export function chainText({ roots }: TrustRootChain, nowSeconds: number): string {
  const rows = roots.map(({ document, signed }) => [
    String(document.version),
    document.version === 1
      ? 'always'
      : `${formatTime(document.activation)}${document.activation > nowSeconds ? ' (to come)' : ''}`,
    String(document.nodes.length),
    signed === null ? 'built in' : String(signed.signatures.length),
  ]);
  return formatTable(['version', 'in force from', 'nodes', 'signatures'], rows, { rightAligned: [0, 2, 3] });
}

/** Who claims to have signed, without a look at the signatures. */
export function claimedSigners({ signatures }: SignedTrustRoot): readonly string[] {
  return signatures.map(({ certificate }) => {
    try {
      return peekCertificateIdentity(certificate);
    } catch (error) {
      if (error instanceof PkiError) return 'unreadable';
      throw error;
    }
  });
}

/** How far a root is on its way to be believed. */
export function tallyText({ old, quorum, added, missing }: RootTally): string {
  return formatFacts([
    [
      'signed by',
      `${old.length} of ${quorum} nodes needed${old.length === 0 ? '' : `: ${old.map(shortIdentity).join(', ')}`}`,
    ],
    [
      'new nodes',
      added.length + missing.length === 0 ? 'none' : `${added.length} of ${added.length + missing.length} have signed`,
    ],
    ['complete', old.length >= quorum && missing.length === 0 ? 'yes' : 'no'],
  ]);
}

/** The root of a signed one. @throws EnvelopeError */
export function documentOf({ root }: SignedTrustRoot): TrustRootDocument {
  return decodeTrustRoot(root);
}
