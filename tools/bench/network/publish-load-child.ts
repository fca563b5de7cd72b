import { create, toBinary } from '@bufbuild/protobuf';
import { connectOverTls } from '@discovery-raft/discovery-client';
import { PublishToDiscoverySchema } from '@discovery-raft/protocol';
import { decodeDiscoveryMessage, encodeApplicationMessage, Reassembler, segment } from '@discovery-raft/psp-envelope';
import type { ByteChannel } from '@discovery-raft/psp-link';
import type { ConnectOrder, LoadAnswer, PublishOrder } from './publish-load.js';

// The process behind PublishLoad.

const VERSION = 'xpx-discovery-1.0';

let channels: ByteChannel[] = [];
let inFlight = 1;
let lastRequest = 0n;
let received: () => void = () => {};

async function connect(order: ConnectOrder): Promise<void> {
  const dial = connectOverTls();
  const { signal } = new AbortController();
  channels = await Promise.all(
    Array.from({ length: order.connections }, async () => (await dial(order, { signal })).channel),
  );
  inFlight = order.inFlight;
  for (const channel of channels) {
    const reassembler = new Reassembler();
    channel.onPiece((piece) => {
      for (const message of reassembler.push(piece)) take(message);
    });
    channel.onClose(() => fail('the node closed a channel'));
  }
}

function take(bytes: Uint8Array): void {
  const message = decodeDiscoveryMessage(bytes);
  if (message.event !== 'publishToDiscoveryResult') return fail(`an unexpected ${message.event}`);
  if (message.body.code !== 0) return fail(`a publish was refused: ${message.body.code} ${message.body.detail}`);
  received();
}

/** Framed and cut: one piece each. */
function prepare(packets: readonly Uint8Array[]): (readonly Uint8Array[])[] {
  return packets.map((signedDiscoveryItem) => {
    const body = create(PublishToDiscoverySchema, { version: VERSION, signedDiscoveryItem, requestID: ++lastRequest });
    return segment(encodeApplicationMessage('publishToDiscovery', toBinary(PublishToDiscoverySchema, body)));
  });
}

async function publish({ packets }: PublishOrder): Promise<LoadAnswer> {
  const messages = prepare(packets);
  const cpu = process.cpuUsage();
  const began = performance.now();
  let next = 0;
  let left = messages.length;
  const send = (): void => {
    const channel = channels[next % channels.length]!;
    const pieces = messages[next++];
    if (pieces !== undefined) channel.send(pieces).catch((error: unknown) => fail(String(error)));
  };
  await new Promise<void>((resolve) => {
    received = () => {
      if (--left === 0) resolve();
      else send();
    };
    for (let i = 0; i < inFlight; i++) send();
  });
  const { user, system } = process.cpuUsage(cpu);
  return { kind: 'published', seconds: (performance.now() - began) / 1000, cpuSeconds: (user + system) / 1e6 };
}

function fail(why: string): void {
  process.stderr.write(`the load generator: ${why}\n`);
  process.exit(1);
}

async function obey(order: ConnectOrder | PublishOrder): Promise<LoadAnswer> {
  if (order.kind === 'publish') return publish(order);
  await connect(order);
  return { kind: 'ready' };
}

process.on('message', (order: ConnectOrder | PublishOrder) => {
  obey(order).then(
    (answer) => process.send?.(answer),
    (error: unknown) => fail(String(error)),
  );
});
