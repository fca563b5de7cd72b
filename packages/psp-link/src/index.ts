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
