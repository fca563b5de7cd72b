import type { DiscoveryItem } from '@discovery-raft/protocol';
import type { PublishCode } from './publish-codes.js';

/** Most addresses in an item. */
export const MAX_ADDRESSES = 8;

/** Most bytes of an encoded item that nodes accept by default. */
export const MAX_ITEM_BYTES = 1024;

/** What is wrong with an item. */
export interface ItemFault {
  readonly code: PublishCode;
  /** The field. */
  readonly detail: string;
}

const HEX_32_BYTES = /^[0-9A-F]{64}$/;
const IDENTITY = /^[\x21-\x7e]{1,255}$/;
const ADDRESS = /^(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):([1-9][0-9]{0,4})$/;

/**
 * The rules of an item that need nothing but the item: not who signed it, not the time, not the modes of the network.
 * Source: DISCOVERY.md section 4.
 *
 * @returns the first fault, or undefined
 */
export function itemShapeFault(item: DiscoveryItem): ItemFault | undefined {
  if (!IDENTITY.test(item.identity)) return { code: 'malformed', detail: 'identity' };
  if (!HEX_32_BYTES.test(item.fingerprint)) return { code: 'badFingerprint', detail: 'fingerprint' };
  if (!HEX_32_BYTES.test(item.handshake)) return { code: 'badHandshake', detail: 'handshake' };
  if (item.address.length === 0 || item.address.length > MAX_ADDRESSES) {
    return { code: 'badAddress', detail: 'number of addresses' };
  }
  if (!item.address.every(isItemAddress)) return { code: 'badAddress', detail: 'address' };
  if (item.expiration > BigInt(Number.MAX_SAFE_INTEGER)) return { code: 'malformed', detail: 'expiration' };
  return undefined;
}

/** Whether an item may name this address: `host:port` or `[v6]:port`, at most 320 characters. */
export function isItemAddress(address: string): boolean {
  const match = address.length > 320 ? null : ADDRESS.exec(address);
  return match !== null && Number(match[1]) <= 65_535;
}
