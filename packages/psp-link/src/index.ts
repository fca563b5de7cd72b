/**
 * PSP 0.1 over TLS: cells, handshake, authentication, streams, and links that reconnect (WIRE.md, sections 2 to 4).
 *
 * @packageDocumentation
 */
export { LINK_ERROR_CODES, LinkError, type LinkErrorCode } from './errors.js';
export { channelPair, type ByteChannel, type ChannelOptions } from './channel/byte-channel.js';
export {
  MessageChannel,
  newChannelCounters,
  type ChannelCounters,
  type MessageChannelOptions,
} from './channel/message-channel.js';
export {
  credentialsExpireAt,
  fingerprintOfCredentials,
  generateLinkCredentials,
  type GenerateCredentialsOptions,
  type LinkCredentials,
} from './credentials/credentials.js';
export { exportLinkCredentials, importLinkCredentials } from './credentials/pem.js';
export { DEFAULT_LINK_LIMITS, linkLimits, type LinkLimits } from './limits.js';
export { Command, StreamNamespace, StreamReason, type CommandName, type StreamReasonName } from './cells/command.js';
export type { Lane } from './connection/cell-writer.js';
export type { LinkCounters } from './connection/counters.js';
export { PspStream } from './connection/psp-stream.js';
export { PspConnection, type ConnectionPeer, type OpenStreamOptions } from './connection/psp-connection.js';
export { connectPsp, type ConnectOptions } from './connection/connect.js';
export { PspListener, type ListenerCounters, type ListenOptions } from './connection/psp-listener.js';
export { LinkKeeper, type LinkKeeperOptions, type LinkPeer } from './keeper/link-keeper.js';
export type { KeeperCounters, LinkState } from './keeper/link-state.js';
export type { PeerLink } from './keeper/peer-link.js';
