import { resolveConfig } from '../src/index.js';
import type { ConsensusPorts, FrozenList, ListedAttestation, ListedRecord, ListReader } from '../src/index.js';
import { makeContext } from '../src/runtime/context.js';
import { ListIntake } from '../src/runtime/list-intake.js';
import { PublishDesk } from '../src/runtime/publish-desk.js';
import { RecordBook } from '../src/runtime/record-book.js';
import { Tally } from '../src/runtime/tally.js';
import { FakeSigner, FakeVerifier, identityOf, makePacket, sha256 } from './fixtures/fake-crypto.js';
import { settle } from './fixtures/virtual-time.js';

const SELF = identityOf('self', 'discovery');
const PEER = identityOf('peer', 'discovery');
const NAME = 'relay';

/** A list of one identity's records, of which each new one takes the place of all before. */
class OneIdentity implements ListReader {
  #records: readonly ListedRecord[] = [];
  #index = 0;
  #inserted: Parameters<ListReader['onInserted']>[0] = () => undefined;
  #frozen: (frozen: FrozenList) => void = () => undefined;

  view(): ReturnType<ListReader['view']> {
    const records = this.#records;
    return { index: this.#index, size: records.length, get: () => records, entries: () => records };
  }

  get(): readonly ListedRecord[] {
    return this.#records;
  }

  onInserted(listener: Parameters<ListReader['onInserted']>[0]): () => void {
    this.#inserted = listener;
    return () => undefined;
  }

  onFrozen(listener: (frozen: FrozenList) => void): () => void {
    this.#frozen = listener;
    return () => undefined;
  }

  onRestored(): () => void {
    return () => undefined;
  }

  freeze(): void {
    this.#frozen({ round: 1, index: ++this.#index, view: this.view() });
  }

  /** Comparisons of packets with records. */
  comparisons = 0;

  /** @param tellsReplaced whether listeners hear what has left */
  async insert(
    packet: Uint8Array,
    expiration: number,
    signers: readonly string[],
    tellsReplaced = true,
  ): Promise<void> {
    const attestations: ListedAttestation[] = await Promise.all(
      signers.map(async (signer) => {
        const signature = await new FakeSigner(signer).sign(packet);
        return { attester: signer, signature, expiration };
      }),
    );
    const record: ListedRecord = {
      ...{ index: ++this.#index, identity: identityOf(NAME), packet, expiration, attestations, attesters: signers },
      hasPacket: (other) => {
        this.comparisons++;
        return Buffer.compare(packet, other) === 0;
      },
      peekPacket: () => packet,
      isLive: true,
    };
    const replaced = this.#records;
    for (const old of replaced) Object.assign(old, { isLive: false });
    this.#records = [record];
    if (tellsReplaced) this.#inserted(record, replaced);
    else this.#inserted(record);
    await settle();
  }
}

/** @param yieldNow to have records looked at later */
function makeIntake(yieldNow?: () => Promise<void>) {
  const list = new OneIdentity();
  const verifier = new FakeVerifier();
  const ports = {
    list,
    verifier,
    sha256,
    signer: new FakeSigner(SELF),
    yieldNow,
    clock: { now: () => 0, wallNow: () => 10_000, setTimer: () => ({ cancel: () => undefined }) },
  } as unknown as ConsensusPorts;
  const members = [SELF, PEER].map((identity) => ({ identity }));
  const context = makeContext(resolveConfig({ members }, SELF), ports, new Tally(), () => undefined);
  const book = new RecordBook(context);
  const desk = new PublishDesk(context, book);
  const intake = new ListIntake(context, book, desk);
  return { list, verifier, book, desk, intake };
}

function packetUntil(expiration: number): Uint8Array {
  return makePacket({ name: NAME, expiration });
}

describe('the intake of the list', () => {
  test('forgets a packet as soon as a newer one has taken its place, so that what is known does not grow between rounds', async () => {
    const { list, book, verifier } = makeIntake();
    for (let expiration = 100; expiration < 150; expiration++) {
      await list.insert(packetUntil(expiration), expiration, [PEER]);
      expect(book.size).toBe(1);
    }
    expect(verifier.packets).toBe(50);
  });

  test('keeps a packet that is in a frozen list, which is to be judged yet', async () => {
    const { list, book, intake, verifier } = makeIntake();
    await list.insert(packetUntil(100), 100, [PEER]);
    list.freeze();
    const frozen = list.view();
    await list.insert(packetUntil(101), 101, [PEER]);
    await list.insert(packetUntil(102), 102, [PEER]);
    expect(book.size).toBe(2);
    expect(await book.judge(frozen, 20)).toMatchObject([{ expiration: 100, attestations: 1 }]);
    expect(verifier.packets).toBe(3);
    await book.judge(list.view(), 20);
    await intake.tidy();
    expect(book.size).toBe(1);
  });

  test('keeps a packet that comes again with more attestations, and one that a view of any other kind has', async () => {
    const { list, book, verifier } = makeIntake();
    await list.insert(packetUntil(100), 100, [PEER]);
    await list.insert(packetUntil(100), 100, [PEER, SELF]);
    expect(book.size).toBe(1);
    await book.judge(list.view(), 20);
    await list.insert(packetUntil(101), 101, [PEER]);
    expect(book.size).toBe(2);
    expect(verifier.packets).toBe(2);
  });

  test('keeps what this node attested until it has attested the newer one', async () => {
    const { list, book, desk } = makeIntake();
    await desk.accept(packetUntil(100));
    await list.insert(packetUntil(100), 100, [SELF]);
    await list.insert(packetUntil(101), 101, [PEER]);
    expect(book.size).toBe(2);
    await desk.accept(packetUntil(102));
    await list.insert(packetUntil(102), 102, [SELF]);
    expect(book.size).toBe(1);
  });

  test('compares what this node waited for with the record once, and hashes it no second time', async () => {
    const { list, book, desk, verifier } = makeIntake();
    const packet = packetUntil(100);
    await desk.accept(packet);
    expect(desk.queue.size).toBe(1);
    await list.insert(packet, 100, [SELF]);
    expect([desk.queue.size, list.comparisons, verifier.packets]).toEqual([0, 1, 1]);
    expect(book.packet(packet).source).toBe(list.get()[0]);
  });

  test('leaves it to the end of the round where the list does not tell what was replaced', async () => {
    const { list, book, intake } = makeIntake();
    await list.insert(packetUntil(100), 100, [PEER], false);
    await list.insert(packetUntil(101), 101, [PEER], false);
    expect(book.size).toBe(2);
    await intake.tidy();
    expect(book.size).toBe(1);
  });

  test('takes a packet for arrived by no record that has left before it was looked at', async () => {
    const turns: (() => void)[] = [];
    const { list, desk, intake } = makeIntake(() => new Promise((resolve) => turns.push(resolve)));
    const packet = packetUntil(20_000);
    await list.insert(packet, 20_000, [SELF]);
    await desk.accept(packet);
    expect([desk.queue.size, intake.pending]).toEqual([1, 1]);
    Object.assign(list.get()[0]!, { isLive: false });
    for (const go of turns) go();
    await settle();
    expect([desk.queue.size, intake.pending]).toEqual([1, 0]);
  });
});
