import type { DiscoveryConsensus } from '@discovery-raft/discovery-consensus-fsm';
import {
  DEFAULT_LIMITS,
  decodeApplicationMessage,
  discoveryMessage,
  encodeDiscoveryMessage,
  Reassembler,
  segment,
  type PullAnswer,
} from '@discovery-raft/psp-envelope';
import { MessageChannel, newChannelCounters, type ByteChannel } from '@discovery-raft/psp-link';
import { silentLogger } from '@discovery-raft/raft-core';
import { ClientSession, type ClientServices } from '../src/node/client-session.js';
import { VERSION } from './fixtures/people.js';

/** A client that takes what it is sent only when the test says so. */
class SlowClient implements ByteChannel {
  open = true;
  readonly got: string[] = [];
  sharesRecords = false;
  #taken: (() => void)[] = [];
  #listener: (piece: Uint8Array) => void = () => {};
  #reassembler = new Reassembler(DEFAULT_LIMITS, 'cells');

  send(pieces: readonly Uint8Array[]): Promise<void> {
    for (const piece of pieces) {
      for (const message of this.#reassembler.push(piece)) this.got.push(decodeApplicationMessage(message).event);
    }
    return new Promise((resolve) => this.#taken.push(resolve));
  }

  /** Takes everything that it was sent. */
  async take(): Promise<void> {
    for (const resolve of this.#taken.splice(0)) resolve();
    await new Promise((resolve) => setImmediate(resolve));
  }

  async pull(times: number, fields: { requestID?: bigint } = {}): Promise<void> {
    const message = encodeDiscoveryMessage(discoveryMessage('pullDiscovery', { version: VERSION, ...fields }));
    for (let i = 0; i < times; i++) for (const piece of segment(message)) this.#listener(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }

  onPiece(listener: (piece: Uint8Array) => void): void {
    this.#listener = listener;
  }

  shareRecords(): void {
    this.sharesRecords = true;
  }

  onClose(): void {}

  close(): void {
    this.open = false;
  }
}

const PARTS: readonly PullAnswer[] = [
  { event: 'discoveryDirectoryPart', body: [Uint8Array.of(1)] },
  { event: 'discoveryDirectoryPart', body: [Uint8Array.of(2)] },
];

function serve(client: SlowClient, answerPull: () => Promise<Iterable<PullAnswer>>): void {
  const consensus = { answerPull } as unknown as DiscoveryConsensus;
  const services = { consensus, roots: {} as ClientServices['roots'] };
  let session: ClientSession | undefined;
  const options = { limits: DEFAULT_LIMITS, logger: silentLogger, counters: newChannelCounters() };
  new MessageChannel(client, {
    ...options,
    receive: (message, channel) => {
      session ??= new ClientSession({ source: 'x' }, channel, services, DEFAULT_LIMITS, silentLogger);
      session.receive(message);
    },
  });
}

test('the next message is made when the one before was taken, the next answer when this one is through', async () => {
  const client = new SlowClient();
  serve(client, async () => PARTS);
  await client.pull(2);
  expect(client.got).toHaveLength(1);
  for (const messages of [2, 3, 4, 4]) {
    await client.take();
    expect(client.got).toHaveLength(messages);
  }
  expect(client.open).toBe(true);
});

test('who pulls on and on without reading is cut off, and has cost one message', async () => {
  const client = new SlowClient();
  serve(client, async () => PARTS);
  await client.pull(5);
  expect(client.open).toBe(true);
  await client.pull(1);
  expect(client.open).toBe(false);
  expect(client.got).toHaveLength(1);
});

test('cells share records from the first message on that no deployed client would send, and not before', async () => {
  const client = new SlowClient();
  serve(client, async () => PARTS);
  await client.pull(1);
  expect(client.sharesRecords).toBe(false);
  await client.pull(1, { requestID: 1n });
  expect(client.sharesRecords).toBe(true);
});

test('an answer that fails ends the connection: a client must not take the next answer for this one', async () => {
  const client = new SlowClient();
  serve(client, () => Promise.reject(new Error('no')));
  await client.pull(1);
  expect(client.open).toBe(false);
});
