import { create } from '@bufbuild/protobuf';
import { DiscoverySignatureSchema } from '@discovery-raft/protocol';
import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { ListedAttestation } from '../src/index.js';
import { Cluster, SLOT, START } from './fixtures/cluster.js';
import { FakeSigner, identityOf, makePacket, type Validity } from './fixtures/fake-crypto.js';
import { MOST_ATTESTATIONS } from './fixtures/fake-list.js';

const LATER = START + 3600;

/** What a lying leader can write in the name of a member whose certificate everybody has seen. */
async function forgedBy(member: string, expiration: number, validity?: Validity): Promise<ListedAttestation> {
  const signer = new FakeSigner(member);
  if (validity !== undefined) signer.validity = validity;
  const { certificate } = await signer.sign(new Uint8Array(0));
  const signature: DiscoverySignature = create(DiscoverySignatureSchema, {
    certificate,
    signature: new Uint8Array(64).fill(6),
  });
  return { attester: member, signature, expiration };
}

/** A cluster in whose list one item is, attested by all four. */
async function attestedByAll() {
  const cluster = await Cluster.started(4);
  const packet = makePacket({ name: 'a', expiration: LATER });
  for (let i = 0; i < 4; i++) await cluster.publish(i, packet);
  await cluster.time.advance(5);
  return { cluster, packet, identity: identityOf('a') };
}

describe('a list that a lying leader has poisoned', () => {
  test('forged attestations, which keep the real ones out, are taken out by the next leader', async () => {
    const cluster = await Cluster.started(4);
    const packet = makePacket({ name: 'a', expiration: LATER });
    for (const member of [1, 2, 3]) {
      const attestation = await forgedBy(cluster.node(member).id, LATER);
      cluster.log.push({ kind: 'upsert', packet, attestation });
    }
    await cluster.elect(1);
    await cluster.publish(2, packet);
    await cluster.runRound();
    await cluster.runRound();
    const [record] = cluster.node(3).list.get(identityOf('a'));
    expect(record?.attestations).toHaveLength(4);
    await expect(cluster.directory(3)).resolves.toMatchObject({ items: 1 });
  });

  test('a good attestation beside a forged one stays', async () => {
    const cluster = await Cluster.started(3, { enhanceSeconds: 1000 });
    const packet = makePacket({ name: 'a', expiration: LATER });
    await cluster.publish(1, packet);
    await cluster.time.advance(1);
    const own = cluster.node(1).list.get(identityOf('a'))[0]!.attestations;
    cluster.log.push({ kind: 'upsert', packet, attestation: await forgedBy(cluster.node(2).id, LATER) });
    await cluster.elect(1);
    await cluster.time.advance(5);
    await cluster.runRound();
    const now = cluster.node(0).list.get(identityOf('a'))[0]!.attestations;
    for (const { signature } of own) {
      expect(now.map((listed) => listed.signature.signature)).toContainEqual(signature.signature);
    }
  });

  test('a forged packet that claims to be newer is taken out, and the real one stays', async () => {
    const cluster = await Cluster.started(4);
    const real = makePacket({ name: 'a', expiration: LATER });
    for (let i = 0; i < 4; i++) await cluster.publish(i, real);
    await cluster.time.advance(1);
    const forged = makePacket({ name: 'a', expiration: LATER + 1e6, authentic: false });
    cluster.log.push({ kind: 'upsert', packet: forged, attestation: await forgedBy(cluster.node(0).id, LATER + 1e6) });
    await cluster.elect(1);
    await cluster.runRound();
    expect(cluster.node(2).list.get(identityOf('a'))).toMatchObject([{ expiration: LATER }]);
    await cluster.runRound();
    await expect(cluster.directory(3)).resolves.toMatchObject({ items: 1 });
  });

  test.each([
    ['not valid yet', { notBefore: LATER * 2, notAfter: LATER * 3 }],
    ['valid no more', { notBefore: 0, notAfter: START - 1 }],
  ])('a forged packet whose made-up certificate is %s is taken out, and a newer real one gets in', async (_, dates) => {
    const cluster = await Cluster.started(4);
    for (let i = 0; i < 4; i++) await cluster.publish(i, makePacket({ name: 'a', expiration: LATER }));
    await cluster.time.advance(1);
    const forged = makePacket({ name: 'a', expiration: LATER * 4, authentic: false, ...dates });
    cluster.log.push({ kind: 'upsert', packet: forged, attestation: await forgedBy(cluster.node(0).id, LATER * 4) });
    await cluster.elect(1);
    await cluster.runRound();
    expect(cluster.node(2).list.get(identityOf('a'))).toMatchObject([{ expiration: LATER }]);
    for (let i = 0; i < 4; i++) await cluster.publish(i, makePacket({ name: 'a', expiration: LATER + 1 }));
    await cluster.runRound();
    expect(cluster.node(2).list.get(identityOf('a')).at(-1)).toMatchObject({ expiration: LATER + 1 });
    await expect(cluster.directory(3)).resolves.toMatchObject({ round: START / SLOT + 2, items: 1 });
  });

  test('forged attestations with made-up certificates that do not hold now are taken out, those of others stay', async () => {
    const { cluster, packet, identity } = await attestedByAll();
    const [kept] = cluster.node(0).list.get(identity)[0]!.attestations;
    cluster.log.push({ kind: 'delete', identity }, { kind: 'upsert', packet, attestation: kept! });
    for (const { id } of cluster.nodes.filter((node) => node.id !== kept!.attester)) {
      const attestation = await forgedBy(id, LATER * 2, { notBefore: LATER * 2, notAfter: LATER * 3 });
      cluster.log.push({ kind: 'upsert', packet, attestation });
    }
    await cluster.elect(1);
    await cluster.runRound();
    await cluster.runRound();
    const now = cluster.node(0).list.get(identity)[0]!.attestations;
    expect(now.map(({ expiration }) => expiration)).toEqual([LATER, LATER, LATER, LATER]);
    await expect(cluster.directory(3)).resolves.toMatchObject({ round: START / SLOT + 2, items: 1 });
  });

  test('a real packet that lives longer than any may is taken out', async () => {
    const cluster = await Cluster.started(4);
    for (let i = 0; i < 4; i++) await cluster.publish(i, makePacket({ name: 'a', expiration: LATER }));
    await cluster.time.advance(1);
    const packet = makePacket({ name: 'a', expiration: LATER * 2 });
    const signature = await cluster.node(0).signer.sign(packet);
    const attestation = { attester: cluster.node(0).id, signature, expiration: LATER * 2 };
    cluster.log.push({ kind: 'upsert', packet, attestation });
    await cluster.elect(1);
    await cluster.runRound();
    expect(cluster.node(2).list.get(identityOf('a'))).toMatchObject([{ expiration: LATER }]);
  });

  test('attestations that a lying leader left out are put back by who has verified them, whoever has forgotten them', async () => {
    const { cluster, packet, identity } = await attestedByAll();
    const [kept] = cluster.node(0).list.get(identity)[0]!.attestations;
    cluster.log.push({ kind: 'delete', identity }, { kind: 'upsert', packet, attestation: kept! });
    await cluster.elect(1);
    for (const i of [2, 3]) await cluster.restart(i);
    await cluster.runRound();
    await cluster.runRound();
    expect(cluster.node(0).list.get(identity)[0]?.attestations).toHaveLength(4);
    await expect(cluster.directory(3)).resolves.toMatchObject({ items: 1 });
  });

  test('attestations that a lying leader has let run out count again once an honest one leads', async () => {
    const { cluster, packet, identity } = await attestedByAll();
    const { attestations } = cluster.node(0).list.get(identity)[0]!;
    cluster.log.push({ kind: 'delete', identity });
    for (const real of attestations) {
      cluster.log.push({ kind: 'upsert', packet, attestation: { ...real, expiration: START + 1 } });
    }
    // Nothing but what the leader itself knows brings back the word of a node that is away.
    cluster.crash(3);
    await cluster.elect(1);
    await cluster.runRound();
    await cluster.runRound();
    const healed = cluster
      .node(0)
      .list.get(identity)[0]
      ?.attestations.map(({ expiration }) => expiration);
    expect(healed).toEqual([LATER, LATER, LATER, LATER]);
    await expect(cluster.directory(2)).resolves.toMatchObject({ items: 1, round: START / SLOT + 2 });
  });

  test('attestations of strangers, so many that no other finds room, are taken out by the next leader', async () => {
    const { cluster, packet, identity } = await attestedByAll();
    cluster.log.push({ kind: 'delete', identity });
    for (let i = 0; i < MOST_ATTESTATIONS; i++) {
      const attestation = await forgedBy(identityOf(`s${i}`, 'discovery'), LATER);
      cluster.log.push({ kind: 'upsert', packet, attestation });
    }
    await cluster.elect(1);
    await cluster.runRound();
    await cluster.runRound();
    expect(cluster.node(0).list.get(identity)[0]?.attestations).toHaveLength(4);
    await expect(cluster.directory(2)).resolves.toMatchObject({ items: 1, round: START / SLOT + 2 });
  });

  test('a packet that came before its certificate held is attested by all once it does', async () => {
    const cluster = await Cluster.started(4);
    const notBefore = START + 20;
    cluster.node(3).skew = 20;
    await cluster.publish(3, makePacket({ name: 'a', expiration: LATER, notBefore }));
    await cluster.time.advance(2);
    cluster.log.push({
      kind: 'upsert',
      packet: makePacket({ name: 'a', expiration: LATER, notBefore }),
      attestation: {
        attester: cluster.node(3).id,
        signature: await cluster.node(3).signer.sign(makePacket({ name: 'a', expiration: LATER, notBefore })),
        expiration: LATER,
      },
    });
    cluster.node(3).skew = 0;
    await cluster.time.advance(30);
    await cluster.runRound();
    await cluster.runRound();
    expect(cluster.node(0).list.get(identityOf('a'))[0]?.attestations).toHaveLength(4);
  });

  test('what another time could make good is left alone', async () => {
    const cluster = await Cluster.started(3);
    for (let i = 0; i < 3; i++) {
      await cluster.publish(i, makePacket({ name: 'a', expiration: LATER, notAfter: START + SLOT }));
    }
    await cluster.runRound();
    await cluster.runRound();
    expect(cluster.log.filter(({ kind }) => kind === 'removeRecord')).toEqual([]);
  });
});

test('interim lists of several members are different bytes, so their signatures never add up', async () => {
  const cluster = await Cluster.started(4);
  for (let i = 0; i < 4; i++) await cluster.publish(i, makePacket({ name: 'a', expiration: LATER }));
  await cluster.time.advance(1);
  const interim = await Promise.all([0, 1, 2, 3].map((i) => cluster.directory(i)));
  expect(new Set(interim.map((directory) => directory?.creation)).size).toBe(1);
  const digests = interim.map((directory) => Buffer.from(directory!.digest).toString('hex'));
  expect(new Set(digests).size).toBe(4);
});

test('whoever asks before a round ends, and is answered after it, gets the directory of the round', async () => {
  const cluster = await Cluster.started(3);
  for (let i = 0; i < 3; i++) await cluster.publish(i, makePacket({ name: 'a', expiration: LATER }));
  await cluster.toNextSlot();
  const { signer } = cluster.node(1);
  const sign = signer.sign.bind(signer);
  let goOn: () => void = () => undefined;
  const slow = new Promise<void>((resolve) => (goOn = resolve));
  signer.sign = async (bytes) => slow.then(() => sign(bytes));
  const asked = cluster.directory(1);
  await cluster.time.advance(0.001);
  signer.sign = sign;
  await cluster.time.advance(5);
  goOn();
  await expect(asked).resolves.toMatchObject({ round: START / SLOT + 1 });
});

test('items whose publishers’ certificates have run out are nobody’s omission', async () => {
  const cluster = await Cluster.started(3);
  for (const name of ['a', 'b', 'c', 'd']) {
    const notAfter = name === 'a' ? 2 ** 40 : START + SLOT - 1;
    for (let i = 0; i < 3; i++) await cluster.publish(i, makePacket({ name, expiration: LATER, notAfter }));
  }
  await cluster.time.advance(20);
  await cluster.runRound();
  expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true, items: 1 });
  expect(cluster.node(1).consensus.counters.alarms.entriesOmitted).toBe(0);
});
