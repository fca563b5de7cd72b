import { SimulatedClock } from '@discovery-raft/raft-core';
import { channelPair, LinkError, type ByteChannel } from '../src/index.js';

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

function collect(channel: ByteChannel): number[][] {
  const got: number[][] = [];
  channel.onPiece((piece) => got.push([...piece]));
  return got;
}

describe('channelPair', () => {
  test('carries pieces in order and whole, both ways, in the next turn and not before', async () => {
    const clock = new SimulatedClock();
    const [a, b] = channelPair({ clock });
    const atB = collect(b);
    const atA = collect(a);
    const sent = [a.send([bytes(1), bytes(2, 3)]), a.send([bytes(4)]), b.send([bytes(5)]), a.send([])];
    await Promise.resolve();
    expect(atB).toEqual([]);
    await clock.advance(0);
    await Promise.all(sent);
    expect(atB).toEqual([[1], [2, 3], [4]]);
    expect(atA).toEqual([[5]]);
  });

  test('send resolves only when the other end has taken the pieces over', async () => {
    const clock = new SimulatedClock();
    const [a, b] = channelPair({ clock });
    const atB = collect(b);
    let seen = -1;
    const sent = a.send([bytes(1), bytes(2)]).then(() => {
      seen = atB.length;
    });
    await clock.advance(0);
    await sent;
    expect(seen).toBe(2);
  });

  test('the ends share no memory', async () => {
    const clock = new SimulatedClock();
    const [a, b] = channelPair({ clock });
    const piece = bytes(1, 2);
    const atB: Uint8Array[] = [];
    b.onPiece((got) => atB.push(got));
    const sent = a.send([piece]);
    await clock.advance(0);
    await sent;
    atB[0]!.fill(9);
    expect([...piece]).toEqual([1, 2]);
    expect(atB[0]!.buffer).not.toBe(piece.buffer);
  });

  test('what comes before there is a listener waits for it', async () => {
    const clock = new SimulatedClock();
    const [a, b] = channelPair({ clock });
    const sent = a.send([bytes(1), bytes(2)]);
    await clock.advance(0);
    await sent;
    expect(collect(b)).toEqual([[1], [2]]);
  });

  test('a listener that closes while early pieces are handed over gets no more of them', async () => {
    const clock = new SimulatedClock();
    const [a, b] = channelPair({ clock });
    const sent = a.send([bytes(1), bytes(2)]);
    await clock.advance(0);
    await sent;
    const got: number[] = [];
    b.onPiece((piece) => {
      got.push(piece[0]!);
      b.close();
    });
    expect(got).toEqual([1]);
  });

  test('refuses what would exceed the bytes under way, and takes it once those have arrived', async () => {
    const clock = new SimulatedClock();
    const [a, b] = channelPair({ clock, maxQueuedBytes: 4 });
    const atB = collect(b);
    const first = a.send([bytes(1, 2), bytes(3)]);
    await expect(a.send([bytes(4, 5)])).rejects.toMatchObject({
      code: 'LINK_CHANNEL_OVERLOADED',
      retryable: true,
      details: { bytes: 2 },
    });
    const fits = a.send([bytes(6)]);
    await clock.advance(0);
    await Promise.all([first, fits]);
    const later = a.send([bytes(4, 5)]);
    await clock.advance(0);
    await later;
    expect(atB).toEqual([[1, 2], [3], [6], [4, 5]]);
  });

  test.each(['mine', 'theirs'])('closing at either end settles everything: %s', async (which) => {
    const clock = new SimulatedClock();
    const [a, b] = channelPair({ clock });
    const atB = collect(b);
    const closed: string[] = [];
    a.onClose(() => closed.push('a'));
    b.onClose(() => closed.push('b'));
    const outcomes = Promise.allSettled([a.send([bytes(1)]), b.send([bytes(2)]), a.send([])]);
    (which === 'mine' ? a : b).close();
    a.close();
    b.close();
    await clock.advance(0);
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'LINK_CHANNEL_CLOSED', retryable: true } });
    }
    expect([a.open, b.open]).toEqual([false, false]);
    expect([...closed].sort()).toEqual(['a', 'b']);
    expect(atB).toEqual([]);
    await expect(a.send([bytes(3)])).rejects.toBeInstanceOf(LinkError);
    await expect(b.send([bytes(3)])).rejects.toMatchObject({ code: 'LINK_CHANNEL_CLOSED' });
  });

  test('who asks about the end of a closed channel is told at once', () => {
    const [a] = channelPair({ clock: new SimulatedClock() });
    a.close();
    const told = jest.fn();
    a.onClose(told);
    expect(told).toHaveBeenCalledTimes(1);
  });

  test('a receiver that closes in the middle of a delivery gets no more of it, and the sender learns of it', async () => {
    const clock = new SimulatedClock();
    const [a, b] = channelPair({ clock });
    const got: number[] = [];
    b.onPiece((piece) => {
      got.push(piece[0]!);
      b.close();
    });
    const outcomes = Promise.allSettled([a.send([bytes(1), bytes(2)]), a.send([bytes(3)])]);
    await clock.advance(0);
    expect(got).toEqual([1]);
    expect((await outcomes)[1]).toMatchObject({ status: 'rejected', reason: { code: 'LINK_CHANNEL_CLOSED' } });
  });

  test('with a latency, every piece is under way for that long, and order stays', async () => {
    const clock = new SimulatedClock();
    const [a, b] = channelPair({ clock, latencyMs: 10 });
    const arrivals: [number, number][] = [];
    b.onPiece((piece) => arrivals.push([piece[0]!, clock.now()]));
    const sent = [a.send([bytes(1)])];
    await clock.advance(6);
    sent.push(a.send([bytes(2)]));
    await clock.advance(3);
    expect(arrivals).toEqual([]);
    await clock.advance(20);
    await Promise.all(sent);
    expect(arrivals).toEqual([
      [1, 10],
      [2, 16],
    ]);
  });
});
