import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { readItemClaims } from '@discovery-raft/psp-envelope';
import { peekCertificateIdentity, peekSignedMessage } from '@discovery-raft/psp-pki';
import type { Logger } from '@discovery-raft/raft-core';
import { SharedList, type ListSchema } from '@discovery-raft/raft-log-list';
import { readOrUndefined } from './read-or-undefined.js';

/**
 * How the shared list reads PSP packets: whose a packet is and until when it holds, from the signed message alone.
 * Nothing is verified here; that is the consensus' business.
 */
export const discoveryListSchema: ListSchema = {
  describe(packet) {
    const claims = readOrUndefined(() => peekSignedMessage(packet));
    if (claims === undefined) return undefined;
    const item = readItemClaims(claims.message, claims.identity);
    if (item === undefined || item.identity !== claims.identity) return undefined;
    if (item.expiration > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
    return { identity: item.identity, expiration: Number(item.expiration) };
  },
  attester(certificate) {
    return readOrUndefined(() => peekCertificateIdentity(certificate));
  },
};

/** An empty list of PSP packets, as every discovery node must make it. */
export function newDiscoveryList(logger?: Logger): SharedList {
  const sha256 = (bytes: Uint8Array): string => hash('sha256', bytes, 'binary');
  return new SharedList({ schema: discoveryListSchema, sha256, crc32, ...(logger === undefined ? {} : { logger }) });
}
