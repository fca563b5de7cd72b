import { create } from '@bufbuild/protobuf';
import { PublishToDiscoveryForwardedSchema } from '@discovery-raft/protocol';
import { resolveConfig } from '../src/index.js';
import type { ConsensusPorts } from '../src/index.js';
import { makeContext } from '../src/runtime/context.js';
import { PublishDesk } from '../src/runtime/publish-desk.js';
import { RecordBook } from '../src/runtime/record-book.js';
import { Tally } from '../src/runtime/tally.js';
import { FakeSigner, FakeVerifier, identityOf, makePacket, sha256, VERSION } from './fixtures/fake-crypto.js';
import { FakeList } from './fixtures/fake-list.js';

/*
 * What a desk remembers of packets that nobody needs any more. Between two rounds nothing else forgets them, and where nobody leads
 * there are no rounds at all.
 */

const SELF = identityOf('self', 'discovery');
const PEER = identityOf('peer', 'discovery');
const NOW = 1_800_000_000;
const MANY = 200;

function makeDesk(): { desk: PublishDesk; book: RecordBook; list: FakeList } {
  const list = new FakeList();
  const members = [SELF, PEER].map((identity) => ({ identity }));
  const ports = {
    ...{ list, sha256, signer: new FakeSigner(SELF), verifier: new FakeVerifier() },
    // The list holds something as new or newer.
    writer: { upsert: () => Promise.resolve({ kind: 'stale' }) },
    clock: { now: () => 0, wallNow: () => NOW * 1000, setTimer: () => ({ cancel: () => undefined }) },
  } as unknown as ConsensusPorts;
  const context = makeContext(resolveConfig({ members }, SELF), ports, new Tally(), () => undefined);
  const book = new RecordBook(context);
  return { desk: new PublishDesk(context, book), book, list };
}

test('a publisher that comes again and again with a newer packet: the last one is remembered', async () => {
  const { desk, book } = makeDesk();
  for (let i = 1; i <= MANY; i++) {
    const { outcome } = await desk.accept(makePacket({ name: 'a', expiration: NOW + i }));
    expect(outcome.code).toBe('accepted');
  }
  expect(book.size).toBe(1);
});

test('what gives way to a newer packet stays known for as long as the list has it', async () => {
  const { desk, book, list } = makeDesk();
  const older = makePacket({ name: 'a', expiration: NOW + 1 });
  await desk.accept(older);
  const signature = await new FakeSigner(PEER).sign(older);
  list.apply(1, { kind: 'upsert', packet: older, attestation: { attester: PEER, signature, expiration: NOW + 1 } });
  book.enter(list.get(identityOf('a'))[0]!);
  await desk.accept(makePacket({ name: 'a', expiration: NOW + 2 }));
  expect(book.size).toBe(2);
});

test('a member that forwards what the list does not take: none of it is remembered', async () => {
  const { desk, book } = makeDesk();
  desk.routeToList();
  await desk.accept(makePacket({ name: 'a', expiration: NOW + 1000 }));
  const peer = new FakeSigner(PEER);
  for (let i = 1; i <= MANY; i++) {
    const publishPacket = makePacket({ name: 'a', expiration: NOW + i });
    const signature = await peer.sign(publishPacket);
    const message = create(PublishToDiscoveryForwardedSchema, { version: VERSION, publishPacket, signature });
    await expect(desk.forwarded(PEER, message)).resolves.toEqual({ ok: true });
  }
  expect(book.size).toBe(1);
});
