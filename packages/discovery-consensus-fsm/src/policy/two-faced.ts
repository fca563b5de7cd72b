/** Bytes that a varint may have; readers keep the low 32 bits of a tag or a length, or refuse it. */
const MAX_VARINT_BYTES = 10;

/**
 * Whether a packet can be read as a protobuf message from one end to the other, by the most lenient of readers.
 *
 * A node's attestation is its signature over the bytes of a packet, and its vote one over the bytes of a listing: nothing in what
 * is signed tells them apart. A publisher who makes a packet that is a listing too would have every node sign a directory of his
 * own. The byte in front of a signed message and the length behind it are a field that nobody knows to such a reader; what follows is
 * the publisher's to choose. An item that is written in the order of its fields, as every encoder does, ends the reading within
 * its first field.
 */
export function isTwoFaced(packet: Uint8Array): boolean {
  let at = 0;
  while (at < packet.length) {
    const tag = varintAt(packet, at);
    // No reader knows a field 0.
    if (tag === undefined || tag.value >>> 3 === 0) return false;
    const end = endOfValue(packet, tag.end, tag.value & 7);
    if (end === undefined || end > packet.length) return false;
    at = end;
  }
  return true;
}

/** Where the value of a field ends; undefined when no reader can tell. */
function endOfValue(bytes: Uint8Array, at: number, wireType: number): number | undefined {
  switch (wireType) {
    case 0:
      return varintAt(bytes, at)?.end;
    case 1:
      return at + 8;
    case 2: {
      const length = varintAt(bytes, at);
      return length && length.end + length.value;
    }
    case 3:
    case 4:
      // The begin and the end of a group: what is between them is fields like any others.
      return at;
    case 5:
      return at + 4;
    default:
      return undefined;
  }
}

function varintAt(bytes: Uint8Array, from: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let i = 0; i < MAX_VARINT_BYTES && from + i < bytes.length; i++) {
    const byte = bytes[from + i]!;
    if (i < 5) value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) return { value: value >>> 0, end: from + i + 1 };
  }
  return undefined;
}
