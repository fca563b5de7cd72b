import type { DiscoveryItem } from '@discovery-raft/protocol';
import type { ConsensusConfig } from '../config.js';
import type { VerifiedPacket } from '../ports.js';
import type { PublishCode } from '../refusals.js';

/** Most addresses in an item. */
export const MAX_ADDRESSES = 8;

/** What is wrong with an item. */
export interface ItemFault {
  readonly code: PublishCode;
  readonly detail: string;
}

const HEX_32_BYTES = /^[0-9A-F]{64}$/;
const IDENTITY = /^[\x21-\x7e]{1,255}$/;
const ADDRESS = /^(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):([1-9][0-9]{0,4})$/;

/**
 * The rules of an item that do not depend on the time: they hold when it is published and whenever a list that has it is
 * judged, so all nodes must have the same limits and modes. Source: DISCOVERY.md section 4.
 *
 * @returns the first fault, or undefined
 */
export function itemFault(
  verified: VerifiedPacket,
  packetBytes: number,
  config: Pick<ConsensusConfig, 'protocolVersion' | 'maxItemBytes' | 'maxPacketBytes' | 'modes'>,
): ItemFault | undefined {
  const { item, itemBytes, signer } = verified;
  if (packetBytes > config.maxPacketBytes) return fault('tooLarge', `packet of ${packetBytes} bytes`);
  if (itemBytes.length > config.maxItemBytes) return fault('tooLarge', `item of ${itemBytes.length} bytes`);
  if (item.version !== config.protocolVersion) return fault('unsupportedVersion', 'item.version');
  if (!IDENTITY.test(item.identity)) return fault('malformed', 'identity');
  if (item.identity !== signer) return fault('identityMismatch', 'identity');
  if (!HEX_32_BYTES.test(item.fingerprint)) return fault('badFingerprint', 'fingerprint');
  if (!HEX_32_BYTES.test(item.handshake)) return fault('badHandshake', 'handshake');
  return modeFault(item, config.modes) ?? addressFault(item) ?? expirationFault(item);
}

/**
 * The rules of an item that depend on the time at which it is published.
 *
 * @param nowSeconds Unix seconds
 */
export function lifetimeFault(
  item: DiscoveryItem,
  nowSeconds: number,
  maxLifetimeSeconds: number,
): ItemFault | undefined {
  const expiration = Number(item.expiration);
  if (expiration <= nowSeconds) return fault('expired', 'expiration');
  if (expiration > nowSeconds + maxLifetimeSeconds) return fault('lifetimeTooLong', 'expiration');
  return undefined;
}

function modeFault(item: DiscoveryItem, modes: ConsensusConfig['modes']): ItemFault | undefined {
  const allowed = Object.hasOwn(modes, item.mode) ? modes[item.mode] : undefined;
  const subNamespace = item.identity.split('.', 3)[1];
  if (allowed === undefined || subNamespace === undefined || !allowed.includes(subNamespace)) {
    return fault('badMode', 'mode');
  }
  return undefined;
}

function addressFault(item: DiscoveryItem): ItemFault | undefined {
  if (item.address.length === 0 || item.address.length > MAX_ADDRESSES)
    return fault('badAddress', 'number of addresses');
  for (const address of item.address) {
    const match = address.length > 320 ? null : ADDRESS.exec(address);
    if (match === null || Number(match[1]) > 65_535) return fault('badAddress', 'address');
  }
  return undefined;
}

function expirationFault(item: DiscoveryItem): ItemFault | undefined {
  return item.expiration > BigInt(Number.MAX_SAFE_INTEGER) ? fault('malformed', 'expiration') : undefined;
}

function fault(code: PublishCode, detail: string): ItemFault {
  return { code, detail };
}
