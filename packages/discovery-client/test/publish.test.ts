import { getEventListeners } from 'node:events';
import { network, VERSION } from './fixtures/network.js';
import { World } from './fixtures/world.js';

const { root } = network(4);
const PACKET = Uint8Array.of(1, 2, 3);

test('the first node that confirms is enough', async () => {
  const world = new World([{ receipt: 'accepted' }, { receipt: 'accepted' }]);
  const result = await world.settled(world.client({ root }).publish(PACKET));
  expect(result).toEqual({
    status: 'accepted',
    source: 'n0:1',
    answers: [{ source: 'n0:1', code: 'good', detail: '' }],
  });
  expect(world.published).toMatchObject([
    { node: 'n0', message: { version: VERSION, signedDiscoveryItem: PACKET, requestID: 1n } },
  ]);
  await world.until(() => world.open === 0);
});

test('a node that cannot be reached, or is busy, makes way for the next one', async () => {
  const world = new World([{ connection: 'refuse' }, { receipt: 'overloaded' }, { receipt: 'accepted' }]);
  const result = await world.settled(world.client({ root }).publish(PACKET));
  expect(result).toMatchObject({ status: 'accepted', source: 'n2:1' });
  expect(result.answers.map(({ code }) => code)).toEqual(['unknown', 'overloaded', 'good']);
});

test('a refusal is not believed before the others were asked', async () => {
  const world = new World([{ receipt: 'notAuthentic' }, { receipt: 'accepted' }]);
  await expect(world.settled(world.client({ root }).publish(PACKET))).resolves.toMatchObject({ status: 'accepted' });
});

test('a packet that every node refuses is refused, for the reason that says something of the packet', async () => {
  const world = new World([{ receipt: 'rateLimited' }, { receipt: 'expired' }, { receipt: 'notNewer' }]);
  const result = await world.settled(world.client({ root }).publish(PACKET));
  expect(result).toMatchObject({ status: 'refused', code: 'expired' });
  expect(result.answers.map(({ detail }) => detail)).toEqual(['why', 'why', 'why']);
});

test('a node without extensions gives no receipt: sent, unconfirmed, after a bounded wait', async () => {
  const world = new World([{ extensions: false }, { extensions: false }]);
  const sent = world.client({ root, receiptTimeoutMs: 15_000, publishStaggerMs: 2_000 }).publish(PACKET);
  await world.until(() => world.published.length === 1);
  await world.clock.advance(2_000);
  await world.until(() => world.published.length === 2);
  await world.clock.advance(15_000);
  const result = await world.settled(sent);
  expect(result).toMatchObject({ status: 'sentUnconfirmed' });
  expect(result.answers.map(({ code }) => code)).toEqual(['sentUnconfirmed', 'sentUnconfirmed']);
  await world.until(() => world.open === 0);
});

test('accepted but not seen in the list in time is unconfirmed too', async () => {
  const world = new World([{ receipt: 'unconfirmed' }]);
  await expect(world.settled(world.client({ root }).publish(PACKET))).resolves.toMatchObject({
    status: 'sentUnconfirmed',
  });
});

test('unconfirmed by one and refused by another is unconfirmed: one of them may lie', async () => {
  const world = new World([{ receipt: 'unconfirmed' }, { receipt: 'notAuthentic' }]);
  await expect(world.settled(world.client({ root }).publish(PACKET))).resolves.toMatchObject({
    status: 'sentUnconfirmed',
  });
});

test('no node at all is an error with what each one said', async () => {
  const world = new World([{ connection: 'refuse' }, { connection: 'refuse' }]);
  await expect(world.settled(world.client({ root }).publish(PACKET))).rejects.toMatchObject({
    code: 'CLIENT_NO_GOOD_ANSWER',
    details: { answers: [{ source: 'n0:1' }, { source: 'n1:1' }] },
  });
});

test('the deadline ends it', async () => {
  const world = new World([{ connection: 'hang' }, { connection: 'hang' }]);
  const sent = world.client({ root, publishStaggerMs: 100 }).publish(PACKET, 500);
  const outcome = expect(sent).rejects.toMatchObject({
    details: { answers: [{ code: 'pending' }, { code: 'pending' }] },
  });
  await world.until(() => world.connected.length === 1);
  await world.clock.advance(500);
  await outcome;
});

test('a packet that no message can hold is told in the answers', async () => {
  const world = new World([{ receipt: 'accepted' }]);
  await expect(world.settled(world.client({ root }).publish(new Uint8Array(100_000)))).rejects.toMatchObject({
    details: { answers: [{ code: 'ENVELOPE_TOO_LARGE' }] },
  });
});

test('a client of mirrors alone cannot publish, nor can one that was closed', async () => {
  const world = new World([]);
  const reader = world.client({ root, nodes: [], mirrors: ['https://mirror.example/directory'] });
  await expect(reader.publish(PACKET)).rejects.toMatchObject({ code: 'CLIENT_INVALID_OPTION' });
  reader.close();
  await expect(reader.publish(PACKET)).rejects.toMatchObject({ code: 'CLIENT_CLOSED' });
});

test('many publishes and watches at once put few listeners on any one signal, and closing ends them all', async () => {
  const world = new World([{ directory: 'silence' }, { directory: 'silence' }]);
  const client = world.client({ root });
  const added = jest.spyOn(EventTarget.prototype, 'addEventListener');
  const publishes = Array.from({ length: 30 }, () =>
    client.publish(PACKET).catch(({ code }: { code: string }) => code),
  );
  const watches = Array.from({ length: 30 }, () => client.watch().next());
  await world.until(() => world.published.length === 30);
  const signals = new Set(added.mock.contexts.filter((target): target is AbortSignal => target instanceof AbortSignal));
  added.mockRestore();
  expect(signals.size).toBeGreaterThan(30);
  // Node warns of a leak from eleven on.
  for (const signal of signals) expect(getEventListeners(signal, 'abort').length).toBeLessThanOrEqual(10);
  client.close();
  expect(new Set((await Promise.all(watches)).map(({ done }) => done))).toEqual(new Set([true]));
  expect(await Promise.all(publishes)).toHaveLength(30);
  await world.until(() => world.open === 0);
});
