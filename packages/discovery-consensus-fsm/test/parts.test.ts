import fc from 'fast-check';
import { CONSENSUS_ERROR_CODES, ConsensusError, resolveConfig } from '../src/index.js';
import type { ConsensusConfigInput, SignatureVerdict, VerifiedSignature } from '../src/index.js';
import { RateLimiter } from '../src/runtime/rate-limiter.js';
import { verdictOf, VerificationQueue, type Judged, type Verify } from '../src/runtime/verification-queue.js';
import { VoteBox } from '../src/runtime/vote-box.js';
import { Deadline, LATE, within } from '../src/runtime/deadline.js';
import { Timekeeper } from '../src/runtime/timekeeper.js';
import { Cluster, SLOT, START } from './fixtures/cluster.js';
import { FakeSigner, makePacket } from './fixtures/fake-crypto.js';
import { VirtualTime, settle } from './fixtures/virtual-time.js';

describe('VerificationQueue', () => {
  const good: VerifiedSignature = { ok: true, identity: 'a', notBefore: 0, notAfter: 9 };
  const newSlot = (): Judged<SignatureVerdict> => ({ verdict: undefined, job: undefined, waiting: undefined });
  const later =
    (work: () => Promise<SignatureVerdict>): Verify<SignatureVerdict> =>
    (tell, failed) =>
      void work().then(tell, failed);

  test('judges everything, in order, and never more than its limit at once; what throws is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.nat(40), async (limit, count) => {
        const queue = new VerificationQueue(limit);
        const begun: number[] = [];
        let running = 0;
        let most = 0;
        const slots = Array.from({ length: count }, newSlot);
        slots.forEach((slot, i) =>
          queue.judge(
            slot,
            false,
            later(async () => {
              begun.push(i);
              most = Math.max(most, ++running);
              await settle();
              running--;
              if (i % 3 === 0) throw new Error('fails');
              return good;
            }),
          ),
        );
        const verdicts = await Promise.all(slots.map(verdictOf));
        expect(begun).toEqual(Array.from({ length: count }, (_, i) => i));
        expect(most).toBe(Math.min(limit, count));
        expect(queue.size).toBe(0);
        verdicts.forEach((verdict, i) =>
          expect(verdict).toMatchObject(i % 3 === 0 ? { ok: false, code: 'verifierFailed', detail: 'fails' } : good),
        );
      }),
      { numRuns: 30 },
    );
  });

  test('what somebody waits for goes first, be it asked for so or hurried later, and is verified once', async () => {
    const queue = new VerificationQueue(1);
    const begun: string[] = [];
    const verify = (name: string): Verify<SignatureVerdict> =>
      later(async () => {
        begun.push(name);
        await settle();
        return good;
      });
    const [a, b, c, d] = [newSlot(), newSlot(), newSlot(), newSlot()];
    queue.judge(a, false, verify('a'));
    queue.judge(b, false, verify('b'));
    queue.judge(c, false, verify('c'));
    queue.judge(d, true, verify('d'));
    queue.hurry(c);
    queue.hurry(c);
    const asked = queue.ask(verify('asked'));
    await Promise.all([asked, ...[a, b, c, d].map(verdictOf)]);
    queue.hurry(a);
    expect(begun).toEqual(['a', 'd', 'c', 'asked', 'b']);
    expect(queue.size).toBe(0);
  });

  test('a verdict may be there at once: tens of thousands that wait for one another are judged all the same, in order', () => {
    const queue = new VerificationQueue(1);
    const first = newSlot();
    let begin = (): void => undefined;
    queue.judge(first, false, (tell) => void (begin = () => tell(good)));
    const told: number[] = [];
    const slots = Array.from({ length: 30_000 }, newSlot);
    slots.forEach((slot, i) => {
      queue.judge(slot, false, (tell) => {
        if (i % 3 === 0) throw new Error('fails');
        tell(good);
      });
      // Whoever is told asks for more, as a record that was judged does.
      slot.waiting = [() => void told.push(i), () => queue.judge(newSlot(), true, (tell) => tell(good))];
    });
    begin();
    expect(told).toEqual(slots.map((_, i) => i));
    expect(slots.map(({ verdict }) => verdict?.ok)).toEqual(slots.map((_, i) => i % 3 !== 0));
    expect(queue.size).toBe(0);
  });

  test('a verdict counts once', () => {
    const queue = new VerificationQueue(1);
    const [slot, next] = [newSlot(), newSlot()];
    queue.judge(slot, false, (tell, failed) => {
      tell(good);
      tell({ ok: false, code: 'again' });
      failed(new Error('as well'));
    });
    queue.judge(next, false, () => undefined);
    expect(slot.verdict).toBe(good);
    expect(queue.size).toBe(1);
  });
});

describe('RateLimiter', () => {
  test('gives the burst, then the rate', () => {
    const limiter = new RateLimiter(2, 3, 10);
    expect([0, 0, 0, 0].map((now) => limiter.take('a', now))).toEqual([true, true, true, false]);
    expect([1, 1, 1].map((now) => limiter.take('a', now))).toEqual([true, true, false]);
    expect(limiter.take('b', 1)).toBe(true);
    expect([100, 100, 100, 100].map((now) => limiter.take('a', now))).toEqual([true, true, true, false]);
  });

  test('remembers a bounded number of names, and a clock that goes back gives nothing', () => {
    const limiter = new RateLimiter(1, 1, 2);
    expect(limiter.take('a', 10)).toBe(true);
    expect(limiter.take('a', 5)).toBe(false);
    expect(limiter.take('b', 10)).toBe(true);
    expect(limiter.take('c', 10)).toBe(true); // makes room: "a" was used longest ago
    expect(limiter.take('b', 10)).toBe(false);
    expect(limiter.take('a', 10)).toBe(true);
  });
});

describe('VoteBox', () => {
  const members = new Set(['a', 'b', 'c', 'd']);
  const refusal = { verdict: 'no', reason: 'x' } as const;

  test('knows when the quorum is there, when everybody has answered, and when there is no hope', async () => {
    const signature = await new FakeSigner('a').sign(new Uint8Array(1));
    const yes = { verdict: 'yes', signature } as const;
    const box = new VoteBox({ members, quorum: 3 });
    expect(box.cast('stranger', yes)).toBe(false);
    for (const [member, standing] of [
      ['b', 'open'],
      ['a', 'open'],
      ['d', 'quorum'],
    ] as const) {
      expect(box.cast(member, yes)).toBe(true);
      expect(box.standing).toBe(standing);
    }
    expect(box.cast('a', refusal)).toBe(false);
    expect(box.cast('c', refusal)).toBe(true);
    expect(box.standing).toBe('complete');
    expect(box.cast('c', yes)).toBe(true);
    expect(box.signatures).toHaveLength(4);
    expect(box.reasons).toBe('');

    const hopeless = new VoteBox({ members, quorum: 3 });
    hopeless.cast('a', refusal);
    expect(hopeless.standing).toBe('open');
    hopeless.cast('b', { verdict: 'notReady', reason: 'y' });
    expect(hopeless.standing).toBe('open');
    hopeless.cast('c', refusal);
    expect(hopeless.standing).toBe('hopeless');
    expect(hopeless.reasons).toBe('a: no x; b: notReady y; c: no x');
  });
});

test('within: the result, the rejection, or LATE', async () => {
  const time = new VirtualTime(0);
  const keeper = new Timekeeper(time.clock());
  await expect(within(new Deadline(keeper, 5), Promise.resolve(1))).resolves.toBe(1);
  await expect(within(new Deadline(keeper, 5), Promise.reject(new Error('no')))).rejects.toThrow('no');
  const late = within(new Deadline(keeper, 5), new Promise(() => undefined));
  await time.advance(5);
  await expect(late).resolves.toBe(LATE);
});

describe('configuration', () => {
  const members = [{ identity: 'a' }, { identity: 'b' }];

  test.each([
    [{ members: [] }, 'members'],
    [{ members: [{ identity: 'b' }] }, 'members'],
    [{ members: [...members, ...members] }, 'members'],
    [{ members, slotSeconds: 0 }, 'slotSeconds'],
    [{ members, slotSeconds: 1.5 }, 'slotSeconds'],
    [{ members, slotSeconds: Number.NaN }, 'slotSeconds'],
    [{ members, voteSeconds: 500 }, 'voteSeconds'],
    [{ members, entryShare: 0 }, 'entryShare'],
    [{ members, entryShare: 1.1 }, 'entryShare'],
    [{ members, maxForwardItems: -1 }, 'maxForwardItems'],
    [{ members, resendSeconds: 0 }, 'resendSeconds'],
    [{ members, maxConcurrentVerifications: 0 }, 'maxConcurrentVerifications'],
    [{ members, policy: 'lax' }, 'policy'],
  ])('%j: %s', (input, option) => {
    let thrown: unknown;
    try {
      resolveConfig(input as ConsensusConfigInput, 'a');
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ConsensusError);
    expect(thrown).toMatchObject({ code: 'CONSENSUS_INVALID_OPTION', retryable: false, details: { option } });
  });

  test('has defaults that hold', () => {
    expect(resolveConfig({ members }, 'a')).toMatchObject({ policy: 'safe', slotSeconds: 900, voteSeconds: 60 });
    expect(CONSENSUS_ERROR_CODES).toContain('CONSENSUS_NOT_LEADER');
  });
});

describe('operations', () => {
  test('fail with a code when their time has not come', async () => {
    const cluster = await Cluster.started(3);
    const { consensus } = cluster.node(1);
    expect(() => consensus.initiateVoting()).toThrow(
      expect.objectContaining({ code: 'CONSENSUS_NOT_LEADER' }) as Error,
    );
    await expect(consensus.sendFinalConsensus()).rejects.toMatchObject({ code: 'CONSENSUS_NO_DIRECTORY' });
    await expect(consensus.start()).rejects.toMatchObject({ code: 'CONSENSUS_NOT_RUNNING' });
    cluster.crash(2);
    await expect(consensus.sendDirectory(cluster.node(2).id)).rejects.toMatchObject({
      code: 'CONSENSUS_CHANNEL_FAILED',
    });
    cluster.node(1).signer.failing = true;
    await expect(consensus.signDiscoveryContent(new Uint8Array(1))).rejects.toMatchObject({
      code: 'CONSENSUS_SIGNER_FAILED',
    });
  });

  test('tell who leads, and a round can be begun by hand', async () => {
    const cluster = await Cluster.started(3);
    const { consensus } = cluster.node(0);
    expect(consensus.isLeader()).toBe(true);
    expect(cluster.node(1).consensus.isLeader()).toBe(false);
    expect(cluster.node(1).consensus.isLeaderFingerprint('00'.repeat(32))).toBe(true);
    expect(cluster.node(1).consensus.isLeaderFingerprint('01'.repeat(32))).toBe(false);
    const round = consensus.initiateVoting();
    expect(() => consensus.initiateVoting()).toThrow(
      expect.objectContaining({ code: 'CONSENSUS_ROUND_NOT_DUE' }) as Error,
    );
    await cluster.time.advance(1);
    await expect(cluster.directory(2)).resolves.toMatchObject({ round });
    await consensus.sendFinalConsensus(cluster.node(1).id);
    await cluster.time.advance(1);
    expect(cluster.node(1).consensus.counters.refusals.wrongRound).toBe(1);
  });

  test('a signed message is laid out as the protocol says', async () => {
    const cluster = await Cluster.started(3);
    const bytes = await cluster.node(0).consensus.newSignedMessage(new Uint8Array([7, 8, 9]));
    const { certificate, signature } = await cluster.node(0).signer.sign(new Uint8Array([7, 8, 9]));
    expect([...bytes]).toEqual([certificate[0], 0, 0, 0, 3, 7, 8, 9, ...signature, ...certificate]);
  });

  test('a listener that throws harms nobody', async () => {
    const cluster = await Cluster.started(3);
    const heard: string[] = [];
    cluster.node(0).consensus.on('stateChanged', () => {
      throw new Error('a bad listener');
    });
    const end = cluster.node(0).consensus.on('stateChanged', ({ to }) => heard.push(to));
    await cluster.runRound();
    expect(heard).toEqual([
      'LeaderConsensusCalc',
      'LeaderConsensusPublish',
      'LeaderCleanup',
      'LeaderEnhance',
      'LeaderRunning',
    ]);
    expect(cluster.node(0).consensus.counters.alarms.internal).toBe(5);
    end();
    await cluster.runRound();
    expect(heard).toHaveLength(5);
  });

  test('a node that is shut down while it starts does not come to life afterwards', async () => {
    const cluster = new Cluster(3);
    const { consensus } = cluster.node(0);
    const starting = consensus.start();
    consensus.shutdown();
    await expect(starting).rejects.toMatchObject({ code: 'CONSENSUS_NOT_RUNNING' });
    expect(consensus.state).toBe('Nil');
    await cluster.time.advance(2);
    expect(cluster.messages('pullDiscovery')).toBe(0);
    await expect(consensus.start()).rejects.toMatchObject({ code: 'CONSENSUS_NOT_RUNNING' });
  });

  test('a listener may shut the node down: it looks at its clock no more', async () => {
    const cluster = await Cluster.started(3);
    const { consensus } = cluster.node(1);
    const committees: number[] = [];
    consensus.on('committeeChanged', ({ version }) => committees.push(version));
    consensus.on('clockSet', () => consensus.shutdown());
    cluster.node(1).skew = 5;
    await cluster.time.advance(1);
    expect(consensus.state).toBe('Nil');
    cluster.learn(cluster.nextRoster(1, [0, 1, 2]), [1]);
    await cluster.time.advance(2 * SLOT);
    expect(committees).toEqual([]);
  });

  test('a publisher whose packet is being verified when the node stops is told so', async () => {
    const cluster = await Cluster.started(3);
    const { consensus, verifier } = cluster.node(1);
    let goOn: () => void = () => undefined;
    verifier.gate = new Promise((resolve) => (goOn = resolve));
    const published = cluster.publish(1, makePacket({ name: 'a', expiration: START + 3600 }), 7n);
    await cluster.time.advance(0.1);
    consensus.shutdown();
    goOn();
    let code: string | undefined;
    void published.then((outcome) => (code = outcome.code));
    await cluster.time.advance(60);
    expect(code).toBe('unconfirmed');
  });

  test('after shutdown nothing moves any more', async () => {
    const cluster = await Cluster.started(3);
    const { consensus } = cluster.node(1);
    consensus.shutdown();
    expect(consensus.state).toBe('Nil');
    consensus.raftStateChanged({ state: 'leader', leaderId: null, term: 99 });
    expect(consensus.state).toBe('Nil');
    await cluster.runRound();
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true, signatures: 2 });
    expect(consensus.counters.refusals.notRunning).toBeGreaterThan(0);
  });
});
