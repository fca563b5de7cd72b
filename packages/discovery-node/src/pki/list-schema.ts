import { hash } from 'node:crypto';
import { readDiscoveryItem } from '@discovery-raft/psp-envelope';
import { PkiError, peekCertificateIdentity, peekSignedMessage } from '@discovery-raft/psp-pki';
import type { Logger } from '@discovery-raft/raft-core';
import { SharedList, type ListSchema } from '@discovery-raft/raft-log-list';

/**
 * How the shared list reads PSP packets: whose a packet is and until when it holds, from the signed message alone.
 * Nothing is verified here; that is the consensus' business.
 */
export const discoveryListSchema: ListSchema = {
  describe(packet) {
    const claims = readOrUndefined(() => peekSignedMessage(packet));
    if (claims === undefined) return undefined;
    const item = readDiscoveryItem(claims.message);
    if (item === undefined || item.identity !== claims.identity) return undefined;
    if (item.expiration > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
    return { identity: item.identity, expiration: Number(item.expiration) };
  },
  attester(signature) {
    return readOrUndefined(() => peekCertificateIdentity(signature.certificate));
  },
};

/** An empty list of PSP packets, as every discovery node must make it. */
export function newDiscoveryList(logger?: Logger): SharedList {
  const sha256 = (bytes: Uint8Array): string => hash('sha256', bytes, 'binary');
  return new SharedList({ schema: discoveryListSchema, sha256, ...(logger === undefined ? {} : { logger }) });
}

/** Bytes that cannot be read are an expected outcome here; anything else is a bug and goes on. */
function readOrUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof PkiError) return undefined;
    throw error;
  }
}
