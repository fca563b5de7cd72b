import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import type { Message } from '@bufbuild/protobuf';
import { raftv1 } from '@discovery-raft/protocol';
import {
  EntryType,
  type AppendEntriesRequest,
  type InstallSnapshotRequest,
  type LogEntry,
} from '@discovery-raft/raft-core';
import fc from 'fast-check';
import {
  decodeRaftMessage,
  DEFAULT_LIMITS,
  directionOf,
  encodeRaftMessage,
  isRequest,
  messageKindOf,
  messageTypeOf,
  toRpcFailure,
  type RaftMessage,
  type RaftMessageKind,
} from '../src/index.js';
import { codeOf, failures, raftMessages, requests, responses } from './messages.js';
import { toHex } from './vectors.js';

const SCHEMAS: Record<RaftMessageKind, GenMessage<Message>> = {
  appendEntries: raftv1.AppendEntriesRequestSchema,
  appendEntriesResponse: raftv1.AppendEntriesResponseSchema,
  requestVote: raftv1.RequestVoteRequestSchema,
  requestVoteResponse: raftv1.RequestVoteResponseSchema,
  requestPreVote: raftv1.RequestPreVoteRequestSchema,
  requestPreVoteResponse: raftv1.RequestPreVoteResponseSchema,
  installSnapshot: raftv1.InstallSnapshotRequestSchema,
  installSnapshotResponse: raftv1.InstallSnapshotResponseSchema,
  timeoutNow: raftv1.TimeoutNowRequestSchema,
  timeoutNowResponse: raftv1.TimeoutNowResponseSchema,
  readIndex: raftv1.ReadIndexRequestSchema,
  readIndexResponse: raftv1.ReadIndexResponseSchema,
  rpcFailure: raftv1.RpcFailureSchema,
};

const header = { protocolVersion: 3, id: 'a', address: 'a:1' };

function entry(index: number, change: Partial<LogEntry> = {}): LogEntry {
  return { index, term: 2, type: EntryType.command, data: new Uint8Array([index]), ...change };
}

function append(change: Partial<AppendEntriesRequest> = {}): AppendEntriesRequest {
  return {
    kind: 'appendEntries',
    header,
    term: 3,
    prevLogIndex: 4,
    prevLogTerm: 2,
    entries: [entry(5), entry(6, { term: 3 })],
    leaderCommitIndex: 4,
    redactedThrough: 0,
    ...change,
  };
}

function snapshot(change: Partial<InstallSnapshotRequest> = {}): InstallSnapshotRequest {
  return {
    kind: 'installSnapshot',
    header,
    version: 1,
    term: 3,
    lastLogIndex: 9,
    lastLogTerm: 2,
    configuration: { servers: [{ suffrage: 'voter', id: 'a', address: '' }] },
    configurationIndex: 1,
    size: 10,
    offset: 4,
    chunk: new Uint8Array(6),
    crc: 0xffff_ffff,
    done: true,
    ...change,
  };
}

function roundTrip(message: RaftMessage): RaftMessage {
  const { msgType, packet } = encodeRaftMessage(message);
  return decodeRaftMessage(msgType, packet);
}

/** A message's fields as protobuf-es cuts them. */
function topLevelFields(bytes: Uint8Array): { number: number; bytes: Uint8Array }[] {
  const reader = new BinaryReader(bytes);
  const fields = [];
  while (reader.pos < reader.len) {
    const begin = reader.pos;
    const [number, wireType] = reader.tag();
    reader.skip(wireType, number);
    fields.push({ number, bytes: bytes.subarray(begin, reader.pos) });
  }
  return fields;
}

describe('every message', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(raftMessages, (message) => expect(roundTrip(message)).toEqual(message)),
      { numRuns: 500 },
    );
  });

  test('has the very bytes that protobuf-es writes', () => {
    fc.assert(
      fc.property(raftMessages, (message) => {
        const { packet } = encodeRaftMessage(message);
        const schema = SCHEMAS[message.kind];
        const read = fromBinary(schema, packet);
        expect(read.$unknown).toBeUndefined();
        expect(toHex(toBinary(schema, read))).toBe(toHex(packet));
      }),
      { numRuns: 500 },
    );
  });

  test('is read alike when a later version adds fields', () => {
    const added = new Uint8Array([
      0xa8, 0x06, 0x01, 0xb2, 0x06, 0x02, 0x01, 0x02, 0xbd, 0x06, 1, 2, 3, 4, 0xb9, 0x06, 1, 2, 3, 4, 5, 6, 7, 8,
    ]);
    fc.assert(
      fc.property(raftMessages, (message) => {
        const { msgType, packet } = encodeRaftMessage(message);
        expect(decodeRaftMessage(msgType, new Uint8Array([...added, ...packet, ...added]))).toEqual(message);
      }),
    );
  });

  test('is read alike whatever the order of its fields', () => {
    fc.assert(
      fc.property(raftMessages, fc.array(fc.nat(), { minLength: 30, maxLength: 30 }), (message, keys) => {
        const { msgType, packet } = encodeRaftMessage(message);
        const fields = topLevelFields(packet).map((field, i) => ({ ...field, key: keys[field.number] ?? i }));
        // A stable sort by a key per number: repeated fields keep their order, as protobuf demands.
        const shuffled = fields.sort((a, b) => a.key - b.key).map((field) => field.bytes);
        expect(decodeRaftMessage(msgType, new Uint8Array(Buffer.concat(shuffled)))).toEqual(message);
      }),
    );
  });

  test('shares no bytes with the packet', () => {
    const { msgType, packet } = encodeRaftMessage(append());
    const message = decodeRaftMessage(msgType, packet);
    packet.fill(0);
    expect(message).toEqual(append());
  });

  test('requests and answers are told apart', () => {
    fc.assert(fc.property(requests, (message) => isRequest(message) && directionOf(message.kind) === 'request'));
    fc.assert(fc.property(fc.oneof(responses, failures), (message) => !isRequest(message)));
  });

  test('each kind has a raftMsgType of its own', () => {
    const kinds = Object.keys(SCHEMAS) as RaftMessageKind[];
    const types = kinds.map(messageTypeOf);
    expect([...types].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(types.map(messageKindOf)).toEqual(kinds);
    expect(codeOf(() => decodeRaftMessage(13, new Uint8Array(0)))).toBe('ENVELOPE_UNKNOWN_MESSAGE_TYPE');
  });
});

describe('what a correct node never sends is refused', () => {
  const wrong: [string, RaftMessage][] = [
    ['no term', append({ term: 0, prevLogIndex: 0, prevLogTerm: 0, entries: [] })],
    ['no sender', append({ header: { ...header, id: '' } })],
    ['a gap after prevLogIndex', append({ entries: [entry(6)] })],
    ['a gap between entries', append({ entries: [entry(5), entry(7)] })],
    ['entries that go back', append({ entries: [entry(5), entry(5)] })],
    ['an entry of an earlier term', append({ entries: [entry(5, { term: 1 })] })],
    ['an entry of a later term than the request', append({ entries: [entry(5, { term: 4 })] })],
    ['an entry without a term', append({ prevLogIndex: 0, prevLogTerm: 0, entries: [entry(1, { term: 0 })] })],
    ['a tombstone that is no hash', append({ entries: [entry(5, { type: EntryType.tombstone })] })],
    ['prevLogIndex without prevLogTerm', append({ prevLogTerm: 0 })],
    ['prevLogTerm without prevLogIndex', append({ prevLogIndex: 0, entries: [] })],
    ['prevLogTerm above the term', append({ prevLogTerm: 4, entries: [] })],
    [
      'a vote for no term',
      { kind: 'requestVote', header, term: 0, lastLogIndex: 0, lastLogTerm: 0, leadershipTransfer: false },
    ],
    [
      'a pre-vote with a log of a later term',
      { kind: 'requestPreVote', header, term: 1, lastLogIndex: 1, lastLogTerm: 2 },
    ],
    ['a timeoutNow for no term', { kind: 'timeoutNow', header, term: 0 }],
    ['a snapshot of no format', snapshot({ version: 0 })],
    ['a snapshot of nothing', snapshot({ lastLogIndex: 0, lastLogTerm: 0, configurationIndex: 0 })],
    ['a configuration after the snapshot', snapshot({ configurationIndex: 10 })],
    ['a chunk past the end', snapshot({ size: 9 })],
    ['done before the end', snapshot({ size: 11 })],
    [
      'a server named twice',
      snapshot({
        configuration: {
          servers: [
            { suffrage: 'voter', id: 'a', address: '' },
            { suffrage: 'nonvoter', id: 'a', address: 'x' },
          ],
        },
      }),
    ],
    ['a server without a name', snapshot({ configuration: { servers: [{ suffrage: 'voter', id: '', address: '' }] } })],
  ];
  test.each(wrong)('%s', (_, message) => {
    expect(codeOf(() => roundTrip(message))).toBe('ENVELOPE_INVALID_VALUE');
  });

  test('the same messages without the fault are taken', () => {
    expect(roundTrip(append())).toEqual(append());
    expect(roundTrip(snapshot())).toEqual(snapshot());
  });

  const term = (type: number, hex: string) => () =>
    decodeRaftMessage(type, new Uint8Array(Buffer.from(`0a03120161${hex}`, 'hex')));

  test('an integer of 2^53, and one of 2^64 - 1', () => {
    expect(codeOf(term(9, ''))).toBeUndefined();
    expect(term(7, '10ffffffffffffff0f')()).toMatchObject({ term: Number.MAX_SAFE_INTEGER });
    expect(codeOf(term(7, '108080808080808010'))).toBe('ENVELOPE_INVALID_VALUE');
    expect(codeOf(term(7, '10ffffffffffffffffff01'))).toBe('ENVELOPE_INVALID_VALUE');
    expect(codeOf(term(7, '10ffffffffffffffffffff01'))).toBe('ENVELOPE_MALFORMED');
  });

  test('an entry type, a suffrage that is not known or not set', () => {
    const hex = (value: string) => new Uint8Array(Buffer.from(value, 'hex'));
    for (const type of ['', '1806', '18ffffffff0f']) {
      const body = `08011001${type}`;
      const length = (body.length / 2).toString(16).padStart(2, '0');
      expect(codeOf(() => decodeRaftMessage(0, hex(`0a0312016110012a${length}${body}`)))).toBe(
        'ENVELOPE_INVALID_VALUE',
      );
    }
    for (const server of ['120161', '0804120161']) {
      const length = (bytes: string) => (bytes.length / 2).toString(16).padStart(2, '0');
      const configuration = `0a${length(server)}${server}`;
      const packet = `0a03120161100118012001280132${length(configuration)}${configuration}`;
      expect(codeOf(() => decodeRaftMessage(2, hex(packet)))).toBe('ENVELOPE_INVALID_VALUE');
    }
  });

  test('a message without a header, a snapshot without a configuration', () => {
    for (const type of [0, 1, 3, 4, 5, 6, 7, 8, 9]) {
      expect(codeOf(() => decodeRaftMessage(type, new Uint8Array(0)))).toBe('ENVELOPE_INVALID_VALUE');
    }
    expect(codeOf(() => decodeRaftMessage(2, new Uint8Array(Buffer.from('0a03120161', 'hex'))))).toBe(
      'ENVELOPE_INVALID_VALUE',
    );
  });

  test('groups and text that is not UTF-8', () => {
    expect(codeOf(() => decodeRaftMessage(9, new Uint8Array([0x0b])))).toBe('ENVELOPE_MALFORMED');
    expect(codeOf(() => decodeRaftMessage(9, new Uint8Array([0x0a, 3, 0x12, 1, 0xff])))).toBe('ENVELOPE_MALFORMED');
    expect(codeOf(() => decodeRaftMessage(9, new Uint8Array([0x00])))).toBe('ENVELOPE_MALFORMED');
  });
});

describe('limits', () => {
  const refused = (message: RaftMessage, limits: Partial<typeof DEFAULT_LIMITS>) => {
    const { msgType, packet } = encodeRaftMessage(message);
    return codeOf(() => decodeRaftMessage(msgType, packet, { ...DEFAULT_LIMITS, ...limits }));
  };
  test('entries, an entry, servers, ids, addresses, and the payload by its kind', () => {
    expect(refused(append(), { maxEntries: 2 })).toBeUndefined();
    expect(refused(append(), { maxEntries: 1 })).toBe('ENVELOPE_TOO_LARGE');
    expect(refused(append(), { maxEntryBytes: 1 })).toBeUndefined();
    expect(refused(append(), { maxEntryBytes: 0 })).toBe('ENVELOPE_TOO_LARGE');
    const both = append({ entries: [entry(5, { extensions: new Uint8Array(1) })] });
    expect(refused(both, { maxEntryBytes: 1 })).toBe('ENVELOPE_TOO_LARGE');
    expect(refused(snapshot(), { maxServers: 0 })).toBe('ENVELOPE_TOO_LARGE');
    expect(refused(append(), { maxIdentityBytes: 0 })).toBe('ENVELOPE_TOO_LARGE');
    expect(refused(append(), { maxAddressBytes: 2 })).toBe('ENVELOPE_TOO_LARGE');
    expect(refused(append(), { maxMessageBytes: 20 })).toBe('ENVELOPE_TOO_LARGE');
    expect(refused(append(), { maxControlPayloadBytes: 1 })).toBeUndefined();
    expect(refused({ kind: 'timeoutNow', header, term: 1 }, { maxControlPayloadBytes: 1 })).toBe('ENVELOPE_TOO_LARGE');
  });

  test('a length of 2 GiB in a packet of a few bytes is refused, not allocated', () => {
    const bytes = new Uint8Array([0x2a, 0xff, 0xff, 0xff, 0xff, 0x07, 0x22]);
    expect(codeOf(() => decodeRaftMessage(0, bytes))).toBe('ENVELOPE_TRUNCATED');
  });
});

describe('encoding', () => {
  test.each([-1, 1.5, NaN, Infinity, 2 ** 53])('a term of %p is refused', (term) => {
    expect(codeOf(() => encodeRaftMessage({ kind: 'timeoutNow', header, term }))).toBe('ENVELOPE_INVALID_VALUE');
    expect(codeOf(() => encodeRaftMessage(append({ term })))).toBe('ENVELOPE_INVALID_VALUE');
    expect(codeOf(() => encodeRaftMessage(snapshot({ term })))).toBe('ENVELOPE_INVALID_VALUE');
  });

  test('a fraction of a millisecond is left out', () => {
    const message = append({ entries: [entry(5, { appendedAtMs: 1234.75 })] });
    expect(roundTrip(message)).toMatchObject({ entries: [{ appendedAtMs: 1234 }] });
  });

  test.each([-1, -0.5, NaN, Infinity, 2 ** 53])('a clock that says %p stops no entry', (appendedAtMs) => {
    const [copy] = (roundTrip(append({ entries: [entry(5, { appendedAtMs })] })) as AppendEntriesRequest).entries;
    expect(copy).toEqual(entry(5));
  });

  test('optional parts that are empty come out as absent', () => {
    const message = append({ entries: [entry(5, { extensions: new Uint8Array(0), appendedAtMs: 0 })] });
    expect(roundTrip(message)).toEqual(append({ entries: [entry(5)] }));
  });
});

describe('failures', () => {
  test('an error with a code tells it', () => {
    const error = Object.assign(new Error('not the leader'), { code: 'RAFT_NOT_LEADER' });
    expect(toRpcFailure(error)).toEqual({ kind: 'rpcFailure', code: 'RAFT_NOT_LEADER', message: 'not the leader' });
  });

  test('any other error tells nothing', () => {
    const secret = Object.assign(new Error('/home/secret'), { code: 'not a code' });
    for (const error of [secret, new Error('/home/secret'), 'text', undefined, null, { code: 'RAFT_X' }]) {
      expect(toRpcFailure(error)).toEqual({
        kind: 'rpcFailure',
        code: 'RAFT_TRANSPORT_FAILED',
        message: 'the request failed',
      });
    }
  });

  test('long and broken texts are made to fit', () => {
    const message = '\ud83d'.repeat(3) + 'x'.repeat(5000);
    const failure = roundTrip({ kind: 'rpcFailure', code: 'A'.repeat(100), message });
    expect(failure).toEqual({ kind: 'rpcFailure', code: 'A'.repeat(64), message: `???${'x'.repeat(509)}` });
  });
});
