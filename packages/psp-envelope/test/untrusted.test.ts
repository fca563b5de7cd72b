import fc from 'fast-check';
import {
  decodeDiscoveryMessage,
  decodeRaftMessage,
  DEFAULT_LIMITS,
  encodeRaftMessage,
  openRaftPacket,
  Reassembler,
  unwrapRaftPacket,
} from '../src/index.js';
import { codeOf, raftMessages } from './messages.js';
import { fromHex, vectors } from './vectors.js';

/** All the ways in which bytes of strangers come in. `codeOf` fails the test on anything but an EnvelopeError. */
const READERS: Record<string, (bytes: Uint8Array) => unknown> = {
  openRaftPacket: (bytes) => openRaftPacket(bytes),
  unwrapRaftPacket: (bytes) => unwrapRaftPacket(bytes),
  decodeDiscoveryMessage: (bytes) => decodeDiscoveryMessage(bytes),
  cells: (bytes) => new Reassembler().push(bytes),
  stream: (bytes) => new Reassembler(DEFAULT_LIMITS, 'stream').push(bytes),
};

const SAMPLES: Record<string, Uint8Array> = {
  discoveryRaftPacket: fromHex(vectors.discoveryRaftPacket.bytes),
  raftPacketMessage: fromHex(`07d4${vectors.discoveryRaftPacket.bytes}`),
  publishToDiscovery: fromHex(`07d3${vectors.publishToDiscovery.bytes}`),
  pullDiscovery: fromHex(vectors.pullDiscovery.applicationMessage),
  cell: fromHex(vectors.pullDiscovery.cells[0]!).subarray(7),
};

function readAll(bytes: Uint8Array): void {
  for (const read of Object.values(READERS)) codeOf(() => read(bytes));
  for (let msgType = 0; msgType <= 13; msgType++) codeOf(() => decodeRaftMessage(msgType, bytes));
  for (let event = 2001; event <= 2011; event++) {
    codeOf(() => decodeDiscoveryMessage(new Uint8Array([event >> 8, event & 0xff, ...bytes])));
  }
}

describe.each(Object.entries(SAMPLES))('%s', (_, sample) => {
  test('every truncation gives an EnvelopeError or a value', () => {
    for (let length = 0; length < sample.length; length++) readAll(sample.subarray(0, length));
    expect(sample.length).toBeGreaterThan(0);
  });

  test('every changed byte gives an EnvelopeError or a value', () => {
    for (let i = 0; i < sample.length; i++) {
      for (const byte of [0x00, 0x7f, 0x80, 0xff, sample[i]! ^ 1]) {
        const changed = sample.slice();
        changed[i] = byte;
        for (const read of Object.values(READERS)) codeOf(() => read(changed));
      }
    }
    expect(sample.length).toBeGreaterThan(0);
  });
});

test('a truncated vector is never taken for a whole one', () => {
  const cell = SAMPLES['cell']!;
  for (let length = 0; length < cell.length; length++) {
    expect(codeOf(() => new Reassembler().push(cell.subarray(0, length)))).toBeDefined();
  }
});

test('random bytes give an EnvelopeError or a value', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      readAll(bytes);
    }),
    { numRuns: 500 },
  );
});

test('mutated Raft messages give an EnvelopeError or a message that encodes again', () => {
  const mutation = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.nat() });
  let refused = 0;
  let taken = 0;
  fc.assert(
    fc.property(raftMessages, fc.array(mutation, { minLength: 1, maxLength: 3 }), (message, mutations) => {
      const { msgType, packet } = encodeRaftMessage(message);
      let bytes = packet;
      for (const { at, byte, cut } of mutations) {
        bytes = cut % 4 === 0 ? bytes.slice(0, cut % (bytes.length + 1)) : bytes.slice();
        if (bytes.length > 0) bytes[at % bytes.length] = byte;
      }
      let again: ReturnType<typeof decodeRaftMessage> | undefined;
      const code = codeOf(() => (again = decodeRaftMessage(msgType, bytes)));
      if (code !== undefined) refused++;
      else {
        taken++;
        const encoded = encodeRaftMessage(again!);
        expect(decodeRaftMessage(encoded.msgType, encoded.packet)).toEqual(again);
      }
    }),
    { numRuns: 1000 },
  );
  expect(refused).toBeGreaterThan(0);
  expect(taken).toBeGreaterThan(0);
});
