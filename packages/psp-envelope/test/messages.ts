import { EntryType, type LogEntry, type RpcRequest, type RpcResponse } from '@discovery-raft/raft-core';
import fc from 'fast-check';
import { EnvelopeError, type RpcFailure } from '../src/index.js';

/** Texts that fit an id; `binary` strings of fast-check hold no half surrogate pairs and no U+FFFD here. */
const id = fc.stringMatching(/^[a-zA-Z0-9.äß€😀-]{1,30}$/u);
const address = fc.stringMatching(/^[a-z0-9.:[\]-]{0,30}$/);
const uint = fc.oneof(fc.nat(300), fc.maxSafeNat());
const positive = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
const bytes = fc.uint8Array({ maxLength: 300 });
const header = fc.record({ protocolVersion: fc.nat(0xffff_ffff), id, address });

const position = (term: number) =>
  fc.oneof(
    fc.constant({ index: 0, term: 0 }),
    fc.record({
      index: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 1000 }),
      term: fc.integer({ min: 1, max: term }),
    }),
  );

const entryBody = fc.oneof(
  fc.record({ type: fc.constantFrom(EntryType.command, EntryType.noop, EntryType.barrier), data: bytes }),
  fc.record({
    type: fc.constant(EntryType.tombstone),
    data: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  }),
);

const entryOptions = fc.record(
  { extensions: fc.uint8Array({ minLength: 1, maxLength: 50 }), appendedAtMs: positive },
  { requiredKeys: [] },
);

export const appendEntries = fc
  .record({ term: positive, header, leaderCommitIndex: uint, redactedThrough: uint })
  .chain((base) =>
    fc.tuple(
      fc.constant(base),
      position(base.term),
      fc.array(fc.tuple(entryBody, entryOptions, fc.boolean()), { maxLength: 8 }),
    ),
  )
  .map(([base, prev, parts]): RpcRequest => {
    const entries: LogEntry[] = parts.map(([body, options, last], i) => ({
      index: prev.index + 1 + i,
      term: last && i === parts.length - 1 ? base.term : Math.max(1, prev.term),
      ...body,
      ...options,
    }));
    return { kind: 'appendEntries', ...base, prevLogIndex: prev.index, prevLogTerm: prev.term, entries };
  });

const vote = fc
  .record({ term: positive, header, leadershipTransfer: fc.boolean() })
  .chain((base) => fc.tuple(fc.constant(base), position(base.term)))
  .map(([{ leadershipTransfer, ...base }, last]) => ({
    leadershipTransfer,
    common: { ...base, lastLogIndex: last.index, lastLogTerm: last.term },
  }));

const server = fc.record({
  suffrage: fc.constantFrom('voter' as const, 'nonvoter' as const, 'staging' as const),
  id,
  address,
});
const servers = (minLength: number) => fc.uniqueArray(server, { minLength, maxLength: 5, selector: (each) => each.id });

const configuration = fc.record({ servers: servers(0), outgoing: servers(1) }, { requiredKeys: ['servers'] });

const installSnapshot = fc
  .record({
    term: positive,
    header,
    version: fc.integer({ min: 1, max: 9 }),
    configuration,
    chunk: bytes,
    crc: fc.nat(0xffff_ffff),
  })
  .chain((base) =>
    fc.tuple(fc.constant(base), fc.nat(1_000_000), fc.nat(1_000_000), fc.integer({ min: 1, max: base.term }), positive),
  )
  .map(([base, offset, after, lastLogTerm, lastLogIndex]): RpcRequest => ({
    kind: 'installSnapshot',
    ...base,
    lastLogIndex,
    lastLogTerm,
    configurationIndex: Math.floor(lastLogIndex / 2),
    offset,
    size: offset + base.chunk.length + after,
    done: after === 0,
  }));

export const requests: fc.Arbitrary<RpcRequest> = fc.oneof(
  appendEntries,
  installSnapshot,
  vote.map(({ common, leadershipTransfer }) => ({ kind: 'requestVote' as const, ...common, leadershipTransfer })),
  vote.map(({ common }) => ({ kind: 'requestPreVote' as const, ...common })),
  fc.record({ kind: fc.constant('timeoutNow' as const), header, term: positive }),
  fc.record({ kind: fc.constant('readIndex' as const), header, term: positive }),
);

export const responses: fc.Arbitrary<RpcResponse> = fc.oneof(
  fc.record({
    kind: fc.constant('appendEntriesResponse' as const),
    header,
    term: uint,
    lastLog: uint,
    success: fc.boolean(),
    noRetryBackoff: fc.boolean(),
    matchIndex: uint,
    conflictTerm: uint,
    conflictIndex: uint,
  }),
  fc.record({ kind: fc.constant('requestVoteResponse' as const), header, term: uint, granted: fc.boolean() }),
  fc.record({ kind: fc.constant('requestPreVoteResponse' as const), header, term: uint, granted: fc.boolean() }),
  fc.record({
    kind: fc.constant('installSnapshotResponse' as const),
    header,
    term: uint,
    success: fc.boolean(),
    nextOffset: uint,
  }),
  fc.record({ kind: fc.constant('timeoutNowResponse' as const), header }),
  fc.record({ kind: fc.constant('readIndexResponse' as const), header, term: uint, index: uint }),
);

export const failures: fc.Arbitrary<RpcFailure> = fc.record({
  kind: fc.constant('rpcFailure' as const),
  code: fc.stringMatching(/^[A-Z][A-Z_]{0,40}$/),
  message: fc.stringMatching(/^[a-zA-Z0-9 äß€😀]{0,60}$/u),
});

export const raftMessages = fc.oneof(requests, responses, failures);

export const identities = id;

/** The code of the EnvelopeError that a call throws; undefined when it returns. Any other error fails the test. */
export function codeOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof EnvelopeError) return error.code;
    throw error;
  }
}
