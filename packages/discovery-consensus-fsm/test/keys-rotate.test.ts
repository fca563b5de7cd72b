import { Cluster, SLOT, START } from './fixtures/cluster.js';
import { identityOf, makePacket } from './fixtures/fake-crypto.js';

const LATER = START + 3600;
/** In the middle of the second slot. */
const OVER = START + SLOT + SLOT / 2;

/** All nodes have certificates that end at the same time, as those have that one command made. */
async function clusterWithItem(renewed: readonly number[]): Promise<Cluster> {
  const cluster = await Cluster.started(4);
  for (const { signer } of cluster.nodes) signer.validity = { notBefore: 0, notAfter: OVER };
  for (let i = 0; i < 4; i++) await cluster.publish(i, makePacket({ name: 'a', expiration: LATER }));
  await cluster.time.advance(20);
  for (const i of renewed) cluster.node(i).signer.validity = { notBefore: START, notAfter: LATER * 2 };
  return cluster;
}

describe('certificates of discovery nodes that run out after they were replaced', () => {
  test('what was attested with them stays in the directory', async () => {
    const cluster = await clusterWithItem([0, 1, 2, 3]);
    for (let round = 1; round <= 4; round++) {
      await cluster.runRound();
      await expect(cluster.directory(3)).resolves.toMatchObject({ round: START / SLOT + round, items: 1 });
    }
    for (const { consensus } of cluster.nodes) expect(consensus.counters.alarms.entriesOmitted).toBe(0);
  });

  test('a node that has no newer one is asked, and sends nothing again', async () => {
    const cluster = await clusterWithItem([0, 1, 2]);
    const sent = cluster.sent.length;
    for (let round = 1; round <= 3; round++) await cluster.runRound();
    const ofOld = cluster.sent.slice(sent).filter(({ from }) => from === cluster.node(3).id);
    expect(ofOld.filter(({ message }) => message.event === 'publishToDiscoveryForwarded')).toEqual([]);
    await expect(cluster.directory(0)).resolves.toMatchObject({ round: START / SLOT + 3, items: 1 });
    const [record] = cluster.node(0).list.get(identityOf('a'));
    expect(record!.attestations.map(({ expiration }) => expiration).sort()).toEqual([OVER + 1, LATER, LATER, LATER]);
  });
});
