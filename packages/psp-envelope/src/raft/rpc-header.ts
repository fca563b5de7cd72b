import type { RpcHeader } from '@discovery-raft/raft-core';
import { invalid } from '../errors.js';
import type { EnvelopeLimits } from '../limits.js';
import type { ProtoReader } from '../protobuf/proto-reader.js';
import { bytesFieldSize, intFieldSize, ProtoWriter } from '../protobuf/proto-writer.js';
import { encodeText } from '../protobuf/text.js';

/** `raft.v1.RpcHeader`. */
export function encodeHeader(header: RpcHeader): Uint8Array {
  const id = encodeText(header.id);
  const address = encodeText(header.address);
  const writer = new ProtoWriter(
    intFieldSize(header.protocolVersion) + bytesFieldSize(id.length) + bytesFieldSize(address.length),
  );
  writer.int(1, header.protocolVersion);
  writer.data(2, id);
  writer.data(3, address);
  return writer.bytes;
}

/** `raft.v1.RpcHeader`; a sender without a name is refused. */
export function decodeHeader(reader: ProtoReader, limits: EnvelopeLimits): RpcHeader {
  let protocolVersion = 0;
  let id = '';
  let address = '';
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x08) protocolVersion = requireUint32('header.protocolVersion', reader.varint());
    else if (tag === 0x12) id = reader.text('header.id', limits.maxIdentityBytes);
    else if (tag === 0x1a) address = reader.text('header.address', limits.maxAddressBytes);
    else reader.skip(tag);
  }
  if (id === '') invalid('header.id', 'is missing');
  return { protocolVersion, id, address };
}

/** Every message of raft.v1 begins with a header; one without is refused. */
export function requireHeader(header: RpcHeader | undefined): RpcHeader {
  return header ?? invalid('header', 'is missing');
}

export function requireUint32(field: string, value: number): number {
  return value <= 0xffff_ffff ? value : invalid(field, 'is above 2^32 - 1', value);
}
