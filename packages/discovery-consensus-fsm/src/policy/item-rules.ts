import type { DiscoveryItem } from '@discovery-raft/protocol';
import type { ConsensusConfig } from '../config.js';
import type { VerifiedPacket } from '../ports.js';
import type { PublishCode } from '../refusals.js';
import { isTwoFaced } from './two-faced.js';
import { itemShapeFault, MAX_ADDRESSES, type ItemFault } from '@discovery-raft/psp-envelope';

export { MAX_ADDRESSES, type ItemFault };

/**
 * The rules of an item that do not depend on the time: they hold when it is published and whenever a list that has it is
 * judged, so all nodes must have the same limits and modes. Source: DISCOVERY.md section 4.
 *
 * @returns the first fault, or undefined
 */
export function itemFault(
  verified: VerifiedPacket,
  packet: Uint8Array,
  config: Pick<ConsensusConfig, 'protocolVersion' | 'maxItemBytes' | 'maxPacketBytes' | 'modes'>,
): ItemFault | undefined {
  const { item, itemBytes, signer } = verified;
  if (packet.length > config.maxPacketBytes) return fault('tooLarge', `packet of ${packet.length} bytes`);
  if (itemBytes.length > config.maxItemBytes) return fault('tooLarge', `item of ${itemBytes.length} bytes`);
  if (item.version !== config.protocolVersion) return fault('unsupportedVersion', 'item.version');
  const shape = itemShapeFault(item);
  if (shape !== undefined) return shape;
  if (item.identity !== signer) return fault('identityMismatch', 'identity');
  if (isTwoFaced(packet)) return fault('malformed', 'the packet could be read as a directory');
  return modeFault(item, config.modes);
}

/**
 * The rules of an item that depend on the time at which it is published.
 *
 * @param expiration the item's, Unix seconds
 * @param nowSeconds Unix seconds
 */
export function lifetimeFault(
  expiration: number,
  nowSeconds: number,
  maxLifetimeSeconds: number,
): ItemFault | undefined {
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

function fault(code: PublishCode, detail: string): ItemFault {
  return { code, detail };
}
