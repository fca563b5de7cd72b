import fc from 'fast-check';
import { create } from '@bufbuild/protobuf';
import {
  DiscoveryRequestAttestationSchema,
  DiscoverySignatureSchema,
  PublishToDiscoveryForwardedSchema,
  PublishToDiscoverySchema,
} from '@discovery-raft/protocol';
import type { DiscoveryItem } from '@discovery-raft/protocol';
import { PUBLISH_CODES } from '../src/index.js';
import type { DiscoveryMessage } from '../src/index.js';
import { Cluster, START } from './fixtures/cluster.js';
import { VERSION, identityOf, makePacket } from './fixtures/fake-crypto.js';
import type { ItemOptions } from './fixtures/fake-crypto.js';

const LATER = START + 3600;

function packetWith(change: Partial<DiscoveryItem>, more: Partial<ItemOptions> = {}): Uint8Array {
  const signer = change.identity ?? identityOf('x');
  return makePacket({ name: 'x', expiration: LATER, change, signer, ...more });
}

describe('what is refused, by code', () => {
  const long = 'A'.repeat(254);

  test.each([
    ['malformed', new Uint8Array(0)],
    ['tooLarge', new Uint8Array(5000)],
    ['tooLarge', packetWith({ address: Array.from({ length: 8 }, (_, i) => `${'h'.repeat(150)}${i}:1`) })],
    ['notAuthentic', new Uint8Array([1, 2, 3])],
    ['notAuthentic', packetWith({}, { authentic: false })],
    ['notAuthentic', packetWith({}, { notAfter: START })],
    ['notAuthentic', packetWith({}, { notBefore: LATER })],
    ['unsupportedVersion', packetWith({ version: 'xpx-discovery-9.9' })],
    ['identityMismatch', packetWith({}, { signer: identityOf('someone') })],
    ['malformed', packetWith({ identity: 'xpx.onion.node.\u00e9' })],
    ['badFingerprint', packetWith({ fingerprint: 'ab'.repeat(32) })],
    ['badFingerprint', packetWith({ fingerprint: 'AB'.repeat(31) })],
    ['badHandshake', packetWith({ handshake: '' })],
    ['badMode', packetWith({ mode: 'bridge' })],
    ['badMode', packetWith({ mode: 'oracle' })],
    ['badMode', packetWith({ mode: 'constructor' })],
    ['badAddress', packetWith({ address: [] })],
    ['badAddress', packetWith({ address: Array.from({ length: 9 }, () => 'h:1') })],
    ['badAddress', packetWith({ address: ['203.0.113.7'] })],
    ['badAddress', packetWith({ address: ['203.0.113.7:0'] })],
    ['badAddress', packetWith({ address: ['203.0.113.7:65536'] })],
    ['badAddress', packetWith({ address: ['2001:db8::7:9001'] })],
    ['badAddress', packetWith({ address: [`${long}:1`] })],
    ['expired', packetWith({ expiration: BigInt(START) })],
    ['lifetimeTooLong', packetWith({ expiration: BigInt(START + 86_500) })],
    ['malformed', packetWith({ expiration: 2n ** 60n })],
  ] as const)('%s (%#)', async (code, packet) => {
    const cluster = await Cluster.started(3);
    await expect(cluster.publish(0, packet)).resolves.toMatchObject({ code });
    const { counters } = cluster.node(0).consensus;
    expect(counters.publishes[code]).toBe(1);
    expect(counters).toMatchObject({ pendingForwards: 0, pendingVerifications: 0 });
    expect(cluster.node(0).signer.signatures).toBe(0);
  });

  test('the modes of all sub-namespaces are accepted', async () => {
    const cluster = await Cluster.started(3);
    for (const [mode, sub] of [
      ['onion', 'onion'],
      ['discovery', 'discovery'],
      ['auth', 'auth'],
      ['oracle', 'oracle'],
    ] as const) {
      const packet = packetWith({ mode, identity: identityOf(`x-${mode}`, sub) });
      await expect(cluster.publish(0, packet)).resolves.toMatchObject({ code: 'accepted' });
    }
  });

  test('an item that is not newer', async () => {
    const cluster = await Cluster.started(3);
    await cluster.publish(0, makePacket({ name: 'x', expiration: LATER }));
    const other = { name: 'x', change: { handshake: 'EF'.repeat(32) } };
    for (const expiration of [LATER, LATER - 1]) {
      await expect(cluster.publish(0, makePacket({ ...other, expiration }))).resolves.toMatchObject({
        code: 'notNewer',
      });
    }
    await expect(cluster.publish(0, makePacket({ ...other, expiration: LATER + 1 }))).resolves.toMatchObject({
      code: 'accepted',
    });
    // What another node accepted counts as soon as it is in the list.
    await cluster.time.advance(1);
    await expect(cluster.publish(2, makePacket({ name: 'x', expiration: LATER }))).resolves.toMatchObject({
      code: 'notNewer',
    });
  });

  test('a forged newer record in the list keeps nobody from publishing', async () => {
    const cluster = await Cluster.started(3);
    const forged = makePacket({ name: 'x', expiration: LATER + 500, authentic: false });
    const signature = await cluster.node(0).signer.sign(forged);
    const attestation = { attester: cluster.node(0).id, signature, expiration: LATER + 500 };
    for (const node of cluster.nodes) node.list.apply(1, { kind: 'upsert', packet: forged, attestation });
    cluster.log.push({ kind: 'upsert', packet: forged, attestation });
    for (const node of cluster.nodes) node.applied = 1;
    await cluster.time.advance(1);
    for (let i = 0; i < 3; i++) await cluster.publish(i, makePacket({ name: 'x', expiration: LATER }));
    await cluster.runRound();
    await expect(cluster.directory(1)).resolves.toMatchObject({ items: 1 });
  });

  test('a source that publishes too fast, while others get through', async () => {
    const cluster = await Cluster.started(3, { sourcePublishesPerSecond: 1, sourcePublishBurst: 5 });
    const { consensus } = cluster.node(0);
    const publish = (source: string, name: string): Promise<{ code: string }> =>
      consensus.onReceivedPublishToDiscovery(
        { source, prefix: '203.0.113' },
        create(PublishToDiscoverySchema, {
          version: VERSION,
          signedDiscoveryItem: makePacket({ name, expiration: LATER }),
        }),
      );
    const codes = [];
    for (let i = 0; i < 8; i++) codes.push((await publish('flood', `f${i}`)).code);
    expect(codes.filter((code) => code === 'accepted')).toHaveLength(5);
    expect(codes.filter((code) => code === 'rateLimited')).toHaveLength(3);
    await expect(publish('calm', 'c')).resolves.toMatchObject({ code: 'accepted' });
    await cluster.time.advance(2);
    await expect(publish('flood', 'later')).resolves.toMatchObject({ code: 'accepted' });
  });

  test('many sources of one address prefix that publish too fast, while others get through', async () => {
    const cluster = await Cluster.started(3, { prefixPublishesPerSecond: 1, prefixPublishBurst: 5 });
    const { consensus } = cluster.node(0);
    const publish = (prefix: string, name: string): Promise<{ code: string; detail: string }> =>
      consensus.onReceivedPublishToDiscovery(
        { source: name, prefix },
        create(PublishToDiscoverySchema, {
          version: VERSION,
          signedDiscoveryItem: makePacket({ name, expiration: LATER }),
        }),
      );
    const outcomes = await Promise.all(Array.from({ length: 8 }, (_, i) => publish('203.0.113', `f${i}`)));
    expect(outcomes.filter(({ code }) => code === 'accepted')).toHaveLength(5);
    expect(outcomes.filter(({ code, detail }) => code === 'rateLimited' && detail === 'prefix')).toHaveLength(3);
    await expect(publish('198.51.100', 'calm')).resolves.toMatchObject({ code: 'accepted' });
    await cluster.time.advance(2);
    await expect(publish('203.0.113', 'later')).resolves.toMatchObject({ code: 'accepted' });
  });

  test('a full forward queue refuses what is new and keeps what it has', async () => {
    const cluster = await Cluster.started(3, { maxForwardItems: 4 });
    cluster.intercept = () => undefined;
    const publishes = Array.from({ length: 8 }, (_, i) =>
      cluster.publish(1, makePacket({ name: `n${i}`, expiration: LATER })),
    );
    const codes = (await Promise.all(publishes)).map(({ code }) => code);
    expect(codes.filter((code) => code === 'accepted')).toHaveLength(4);
    expect(codes.filter((code) => code === 'overloaded')).toHaveLength(4);
    cluster.intercept = (_from, _to, message) => message;
    await cluster.time.advance(10);
    expect(cluster.node(1).list.size).toBe(4);
  });

  test('a publish that is not confirmed in time says so, and stays accepted', async () => {
    const cluster = await Cluster.started(3, { confirmSeconds: 3 });
    cluster.intercept = () => undefined;
    let code: string | undefined;
    void cluster.publish(1, makePacket({ name: 'x', expiration: LATER }), 1n).then((outcome) => (code = outcome.code));
    await cluster.time.advance(4);
    expect(code).toBe('unconfirmed');
    expect(cluster.node(1).consensus.counters.pendingForwards).toBe(1);
  });

  test('a node that is not running', async () => {
    const cluster = new Cluster(3);
    await expect(cluster.publish(0, packetWith({}))).resolves.toMatchObject({ code: 'notRunning' });
    expect(Object.values(PUBLISH_CODES)).toEqual([...new Set(Object.values(PUBLISH_CODES))]);
  });

  test('a signer that fails', async () => {
    const cluster = await Cluster.started(3);
    cluster.node(1).signer.failing = true;
    await expect(cluster.publish(1, packetWith({}))).resolves.toMatchObject({ code: 'internal' });
    expect(cluster.node(1).consensus.counters.alarms.signerFailed).toBe(1);
    cluster.node(1).signer.failing = false;
    await expect(cluster.publish(1, packetWith({}))).resolves.toMatchObject({ code: 'accepted' });
  });
});

describe('forwards', () => {
  async function forward(cluster: Cluster, from: number, packet: Uint8Array, signer = from): Promise<unknown> {
    const signature = await cluster.node(signer).signer.sign(packet);
    const body = create(PublishToDiscoveryForwardedSchema, { version: VERSION, publishPacket: packet, signature });
    return cluster.node(0).consensus.onMessage(cluster.node(from).id, { event: 'publishToDiscoveryForwarded', body });
  }

  test('the leader checks both signatures', async () => {
    const cluster = await Cluster.started(3);
    await expect(forward(cluster, 1, packetWith({}))).resolves.toEqual({ ok: true });
    await expect(forward(cluster, 1, packetWith({}), 2)).resolves.toMatchObject({ code: 'wrongSigner' });
    await expect(forward(cluster, 1, packetWith({}, { authentic: false }))).resolves.toMatchObject({
      code: 'packetRefused',
    });
    await expect(forward(cluster, 1, packetWith({ mode: 'x' }))).resolves.toMatchObject({ code: 'packetRefused' });
    const other = packetWith({ identity: identityOf('y') });
    const signature = await cluster.node(1).signer.sign(new Uint8Array(1));
    const body = create(PublishToDiscoveryForwardedSchema, { version: VERSION, publishPacket: other, signature });
    await expect(
      cluster.node(0).consensus.onReceivedPublishToDiscoveryForwarded(cluster.node(1).id, body),
    ).resolves.toMatchObject({ code: 'badSignature' });
    await expect(
      cluster.node(2).consensus.onReceivedPublishToDiscoveryForwarded(cluster.node(1).id, body),
    ).resolves.toMatchObject({ code: 'notLeading' });
    await cluster.time.advance(1);
    expect(cluster.node(1).list.size).toBe(1);
  });

  test('a packet that was accepted and that a lying leader took out of the list is told to be there once it is again', async () => {
    const cluster = await Cluster.started(3, { enhanceSeconds: 1000 });
    const packet = makePacket({ name: 'a', expiration: LATER });
    await cluster.publish(1, packet);
    await cluster.time.advance(1);
    cluster.log.push({ kind: 'delete', identity: identityOf('a') });
    for (let i = 0; i < 3; i++) cluster.resume(i);
    expect(cluster.node(1).list.size).toBe(0);
    let size: number | undefined;
    const told = cluster.publish(1, packet, 7n).then((outcome) => {
      size = cluster.node(1).list.size;
      return outcome.code;
    });
    await cluster.time.advance(5);
    await expect(told).resolves.toBe('accepted');
    expect(size).toBe(1);
  });

  test('each packet and each attestation is verified once on each node', async () => {
    const cluster = await Cluster.started(3);
    for (let k = 0; k < 50; k++) {
      for (let i = 0; i < 3; i++) await cluster.publish(i, makePacket({ name: `n${k}`, expiration: LATER }));
    }
    await cluster.runRound();
    await cluster.runRound();
    await expect(cluster.directory(0)).resolves.toMatchObject({ items: 50 });
    for (const node of cluster.nodes) {
      expect(node.verifier.packets).toBe(50);
      // Two others' attestations each, the first own one, votes (at the leader) and final sets.
      expect(node.verifier.signatures).toBeLessThanOrEqual(100 + 1 + 2 * (3 + 2));
    }
  });

  test('a request for attestations is heeded when it is the leader’s, within its bounds', async () => {
    const cluster = await Cluster.started(3, { maxAttestationPackets: 2 });
    const request = (packets: Uint8Array[]): DiscoveryMessage => ({
      event: 'discoveryRequestAttestation',
      body: create(DiscoveryRequestAttestationSchema, { version: VERSION, packets }),
    });
    const { consensus } = cluster.node(1);
    const leader = cluster.node(0).id;
    const good = packetWith({});
    await expect(consensus.onMessage(leader, request([good]))).resolves.toEqual({ ok: true });
    await expect(consensus.onMessage(leader, request([good, new Uint8Array(1)]))).resolves.toMatchObject({
      code: 'packetRefused',
    });
    await expect(consensus.onMessage(leader, request([good, good, good]))).resolves.toMatchObject({ code: 'tooMany' });
    await expect(consensus.onMessage(cluster.node(2).id, request([good]))).resolves.toMatchObject({
      code: 'senderIsNotLeader',
    });
  });
});

test('no message of a member throws, whatever it holds', async () => {
  const cluster = await Cluster.started(3);
  const bytes = fc.uint8Array({ maxLength: 80 });
  const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const version = fc.constantFrom(VERSION, '', 'x');
  const signature = fc
    .record({ certificate: bytes, signature: bytes })
    .map((fields) => create(DiscoverySignatureSchema, fields));
  const someSignature = fc.option(signature, { nil: undefined });
  const message = fc.oneof(
    fc.record({
      event: fc.constant('discoveryRequestConsensusVote'),
      body: fc.record({
        ...{ version, creation: uint64, expiration: uint64, round: uint64, frozenIndex: uint64 },
        ...{ listDigest: bytes, previousDigest: bytes, shortDigest: bytes },
      }),
    }),
    fc.record({
      event: fc.constant('discoveryConsensusVote'),
      body: fc.record({
        ...{ version, signature: someSignature, verdict: fc.nat(9), reason: fc.string(), round: uint64 },
        ...{ appliedIndex: uint64, shortSignature: someSignature },
      }),
    }),
    fc.record({
      event: fc.constant('discoveryFinalConsensus'),
      body: fc.record({
        ...{ version, signatures: fc.array(signature), round: uint64, listDigest: bytes },
        shortSignatures: fc.array(signature),
      }),
    }),
    fc.record({
      event: fc.constant('publishToDiscoveryForwarded'),
      body: fc.record({ version, fingerprint: fc.string(), publishPacket: bytes, signature: someSignature }),
    }),
    fc.record({
      event: fc.constant('discoveryRequestAttestation'),
      body: fc.record({ version, packets: fc.array(bytes) }),
    }),
    fc.record({
      event: fc.constant('discoveryDirectory'),
      body: fc.record({
        directory: bytes,
        signatures: fc.array(signature),
        shortSignatures: fc.array(signature),
      }),
    }),
    fc.record({
      event: fc.constant('pullDiscovery'),
      body: fc.record({ version, requestID: uint64, maxDirectoryBytes: uint64, newerThan: uint64 }),
    }),
    fc.record({
      event: fc.constant('discoveryDirectoryPart'),
      body: fc.record({
        ...{ requestID: fc.constantFrom(1n, 2n), digest: bytes, totalBytes: uint64 },
        ...{ index: fc.nat(2), count: fc.nat(2), content: bytes },
      }),
    }),
  ) as unknown as fc.Arbitrary<DiscoveryMessage>;
  await fc.assert(
    fc.asyncProperty(message, fc.nat(2), fc.nat(2), async (sent, from, to) => {
      const handled = await cluster.node(to).consensus.onMessage(cluster.node(from).id, sent);
      expect(typeof handled.ok).toBe('boolean');
      if (!handled.ok) expect(handled.code).not.toBe('internal');
    }),
    { numRuns: 500 },
  );
  for (let i = 0; i < 3; i++) await cluster.publish(i, packetWith({}));
  await cluster.runRound();
  await expect(cluster.directory(1)).resolves.toMatchObject({ items: 1 });
});
