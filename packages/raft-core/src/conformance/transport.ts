import { PROTOCOL_VERSION, type RpcHeader, type RpcRequest, type RpcResponse } from '../core/rpc.js';
import { EntryType, type Configuration, type Server } from '../core/types.js';
import type { MaybePromise } from '../ports/log-store.js';
import type { Transport } from '../ports/transport.js';
import { assert, assertRefuses, assertSame, type ConformanceCheck } from './check.js';

/** Two transports that reach each other, and how the suite waits. */
export interface TransportPair {
  readonly a: Transport;
  readonly b: Transport;
  /** Waits for a promise. Default: `await`. A pair in virtual time advances its clock, by less than 30 s. */
  readonly settle?: <T>(promise: Promise<T>) => Promise<T>;
  /** Called at the end of a check, after both transports were closed. */
  readonly dispose?: () => MaybePromise<void>;
}

interface Context extends Required<Pick<TransportPair, 'a' | 'b' | 'settle'>> {
  /** The server that `b` is, as `a` addresses it. */
  readonly toB: Server;
  /** A request of `a`. */
  readonly request: RpcRequest;
}

const CONFIGURATION: Configuration = { servers: [{ suffrage: 'voter', id: 'a', address: 'x' }] };
const LONG_MS = 10_000;

/**
 * What {@link Transport} promises.
 *
 * @param create gives a new pair at each call; each check closes its own
 */
export function transportConformance(create: () => MaybePromise<TransportPair>): readonly ConformanceCheck[] {
  return CHECKS.map(([name, body]) => ({
    name: `Transport: ${name}`,
    run: async () => {
      const pair = await create();
      const { a, b } = pair;
      const settle = pair.settle ?? (<T>(promise: Promise<T>): Promise<T> => promise);
      const request = requestsOf(headerOf(a))[0]!;
      try {
        await body({ a, b, settle, toB: { suffrage: 'voter', id: b.localId, address: b.localAddress }, request });
      } finally {
        await settle(Promise.all([a.close(), b.close()]));
        await pair.dispose?.();
      }
    },
  }));
}

function headerOf(transport: Transport): RpcHeader {
  return { protocolVersion: PROTOCOL_VERSION, id: transport.localId, address: transport.localAddress };
}

/** One request of each kind, with bytes of every sort. */
function requestsOf(header: RpcHeader): RpcRequest[] {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const last = { lastLogIndex: 2 ** 40, lastLogTerm: 7 };
  return [
    {
      kind: 'appendEntries',
      header,
      term: 7,
      prevLogIndex: 2 ** 40,
      prevLogTerm: 6,
      entries: [
        {
          index: 2 ** 40 + 1,
          term: 6,
          type: EntryType.command,
          data: bytes,
          extensions: bytes.slice(200),
          appendedAtMs: 5,
        },
        { index: 2 ** 40 + 2, term: 7, type: EntryType.noop, data: new Uint8Array(0) },
        { index: 2 ** 40 + 3, term: 7, type: EntryType.tombstone, data: new Uint8Array(32) },
        { index: 2 ** 40 + 4, term: 7, type: EntryType.command, data: new Uint8Array(100_000).fill(3) },
      ],
      leaderCommitIndex: 2 ** 40,
      redactedThrough: 12,
    },
    {
      kind: 'appendEntries',
      header,
      term: 7,
      prevLogIndex: 0,
      prevLogTerm: 0,
      entries: [],
      leaderCommitIndex: 0,
      redactedThrough: 0,
    },
    { kind: 'requestVote', header, term: 7, ...last, leadershipTransfer: true },
    { kind: 'requestPreVote', header, term: 8, ...last },
    {
      kind: 'installSnapshot',
      header,
      version: 1,
      term: 7,
      ...last,
      configuration: CONFIGURATION,
      configurationIndex: 3,
      size: 1000,
      offset: 256,
      chunk: bytes,
      crc: 0xffffffff,
      done: false,
    },
    { kind: 'timeoutNow', header, term: 7 },
    { kind: 'readIndex', header, term: 7 },
  ];
}

function answerTo(request: RpcRequest, header: RpcHeader): RpcResponse {
  switch (request.kind) {
    case 'appendEntries': {
      const conflict = { conflictTerm: 2, conflictIndex: 9 };
      const facts = { success: true, noRetryBackoff: true, lastLog: 2 ** 40, matchIndex: request.prevLogIndex };
      return { kind: 'appendEntriesResponse', header, term: 7, ...facts, ...conflict };
    }
    case 'requestVote':
      return { kind: 'requestVoteResponse', header, term: 7, granted: true };
    case 'requestPreVote':
      return { kind: 'requestPreVoteResponse', header, term: 7, granted: false };
    case 'installSnapshot':
      return { kind: 'installSnapshotResponse', header, term: 7, success: true, nextOffset: 512 };
    case 'timeoutNow':
      return { kind: 'timeoutNowResponse', header };
    case 'readIndex':
      return { kind: 'readIndexResponse', header, term: 7, index: 2 ** 40 };
  }
}

type Named = readonly [name: string, body: (context: Context) => Promise<void>];

const CHECKS: readonly Named[] = [
  [
    'requests of every kind arrive whole, and so do their responses',
    async ({ a, b, settle, toB }) => {
      const seen: RpcRequest[] = [];
      b.setHandler(async (request) => {
        seen.push(request);
        return answerTo(request, headerOf(b));
      });
      for (const request of requestsOf(headerOf(a))) {
        const response = await settle(a.send(toB, request, LONG_MS));
        assertSame(seen.pop(), request, `the ${request.kind} that arrived`);
        assertSame(response, answerTo(request, headerOf(b)), `the answer to ${request.kind}`);
      }
    },
  ],
  [
    'both sides send and answer',
    async ({ a, b, settle }) => {
      a.setHandler(async (request) => answerTo(request, headerOf(a)));
      const toA: Server = { suffrage: 'voter', id: a.localId, address: a.localAddress };
      const [, heartbeat] = requestsOf(headerOf(b));
      assertSame(await settle(b.send(toA, heartbeat!, LONG_MS)), answerTo(heartbeat!, headerOf(a)), 'the answer');
    },
  ],
  [
    'every request gets its own response, in whatever order they are answered',
    async ({ a, b, settle, toB }) => {
      const waiting: (() => void)[] = [];
      b.setHandler(
        (request) =>
          new Promise((resolve) => {
            const term = 'term' in request ? request.term : 0;
            waiting.push(() => resolve({ kind: 'requestVoteResponse', header: headerOf(b), term, granted: true }));
            if (waiting.length === 5) for (const answer of waiting.reverse()) answer();
          }),
      );
      const header = headerOf(a);
      const sent = [1, 2, 3, 4, 5].map((term) =>
        a.send(
          toB,
          { kind: 'requestVote', header, term, lastLogIndex: 0, lastLogTerm: 0, leadershipTransfer: false },
          LONG_MS,
        ),
      );
      const terms = (await settle(Promise.all(sent))).map((response) => response.term);
      assertSame(terms, [1, 2, 3, 4, 5], 'the terms in the answers');
    },
  ],
  [
    'a handler that rejects fails the call, and only that one',
    async ({ a, b, settle, toB, request }) => {
      let calls = 0;
      b.setHandler(async (asked) => {
        if (++calls === 1) throw new Error('no');
        return answerTo(asked, headerOf(b));
      });
      await assertRefuses(['RAFT_TRANSPORT_FAILED'], 'a refused call', () => settle(a.send(toB, request, LONG_MS)));
      await settle(a.send(toB, request, LONG_MS));
    },
  ],
  [
    'a call without an answer ends at its timeout',
    async ({ a, b, settle, toB, request }) => {
      b.setHandler(() => new Promise(() => {}));
      await assertRefuses(['RAFT_TRANSPORT_TIMEOUT'], 'a call without an answer', () =>
        settle(a.send(toB, request, 50)),
      );
    },
  ],
  [
    'requests to a node that has not started, or to one that nobody knows, fail',
    async ({ a, settle, toB, request }) => {
      const codes = ['RAFT_TRANSPORT_FAILED', 'RAFT_TRANSPORT_TIMEOUT'] as const;
      await assertRefuses(codes, 'a node without a handler', () => settle(a.send(toB, request, 50)));
      const nobody: Server = { suffrage: 'voter', id: 'nobody', address: 'nowhere' };
      await assertRefuses(codes, 'an unknown node', () => settle(a.send(nobody, request, 50)));
    },
  ],
  [
    'a failure is a rejection, never a throw; closing rejects what is under way and what comes later, and is idempotent',
    async ({ a, b, settle, toB, request }) => {
      b.setHandler(() => new Promise(() => {}));
      const underWay = a.send(toB, request, LONG_MS);
      const refused = assertRefuses(['RAFT_TRANSPORT_CLOSED'], 'a call under way', () => settle(underWay));
      await Promise.all([a.close(), refused]);
      let later: Promise<unknown> | undefined;
      try {
        later = a.send(toB, request, LONG_MS);
      } catch {
        assert(false, 'send threw instead of rejecting');
      }
      await assertRefuses(['RAFT_TRANSPORT_CLOSED'], 'a call after the close', () => settle(later));
      await a.close();
    },
  ],
  [
    'what is sent is left as it is',
    async ({ a, b, settle, toB, request }) => {
      b.setHandler(async (asked) => answerTo(asked, headerOf(b)));
      await settle(a.send(toB, request, LONG_MS));
      assertSame(request, requestsOf(headerOf(a))[0], 'the request after it was sent');
    },
  ],
];
