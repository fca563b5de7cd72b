import { create, toBinary } from '@bufbuild/protobuf';
import { DiscoveryItemSchema } from '@discovery-raft/protocol';
import { itemShapeFault, MAX_ITEM_BYTES } from '@discovery-raft/psp-envelope';
import { buildSignedMessage, XPX_PROFILE, type Authority, type NetworkProfile } from '@discovery-raft/psp-pki';
import { ClientError } from '../errors.js';

/** What a network node says of itself. Who says it is in the certificate. */
export interface OwnItem {
  /** 32 bytes, 64 upper-case hex digits. */
  readonly fingerprint: string;
  /** 32 bytes, 64 upper-case hex digits. */
  readonly handshake: string;
  /** 1 to 8 of `host:port` or `[v6]:port`. */
  readonly address: readonly string[];
  /** Unix seconds. Nodes take an item of the same identity as newer when this is greater. */
  readonly expiration: number;
}

/**
 * Signs what a network node publishes of itself: the packet for `DiscoveryClient.publish`.
 *
 * @param publisher its certificate, with the authorities' signatures, and the certificate's key
 * @throws ClientError CLIENT_INVALID_OPTION for an item that every node would refuse; `details.option` names the field
 */
export function signItem(
  { certificate, key }: Authority,
  item: OwnItem,
  profile: NetworkProfile = XPX_PROFILE,
): Uint8Array {
  const { fingerprint, handshake, address, expiration } = item;
  if (!Number.isSafeInteger(expiration) || expiration < 0) invalid('expiration', 'it must be whole Unix seconds');
  const message = create(DiscoveryItemSchema, {
    version: profile.discoveryVersion,
    identity: certificate.identity.text,
    fingerprint,
    handshake,
    mode: certificate.identity.subNamespace,
    address: [...address],
    expiration: BigInt(expiration),
  });
  const fault = itemShapeFault(message);
  if (fault !== undefined) invalid(fault.detail, `nodes refuse it as ${fault.code}`);
  const bytes = toBinary(DiscoveryItemSchema, message);
  if (bytes.length > MAX_ITEM_BYTES) invalid('address', `the item has over ${MAX_ITEM_BYTES} bytes`);
  return buildSignedMessage({ certificate, key, message: bytes });
}

function invalid(option: string, message: string): never {
  throw new ClientError('CLIENT_INVALID_OPTION', `${option}: ${message}`, { option });
}
