// Three nodes in one process: relays publish, a slot begins, and a client verifies the directory that a quorum signed.
import { verifyDirectory } from '@discovery-raft/discovery-client';
import { discoveryMessage } from '@discovery-raft/psp-envelope';
import { createTrustRoot } from '@discovery-raft/psp-pki';
import { startNode } from './custom-node.js';
import { official, relayPacket } from './people.js';

const SLOT_SECONDS = 2;
const authorities = [official('auth'), official('auth'), official('auth')];
const officials = [official('discovery'), official('discovery'), official('discovery')];
const members = officials.map(({ identity }) => identity);
const root = createTrustRoot({ authorities: authorities.map(({ identity }) => identity), discoveryNodes: members });

// The links: in one process, a turn of the event loop.
const nodes = new Map<string, Awaited<ReturnType<typeof startNode>>>();
const linksOf = (from: string) => async (to: string, message: Uint8Array) => {
  const node = nodes.get(to);
  if (node === undefined) throw new Error('not there');
  setImmediate(() => void node.receive(from, message).catch(report));
};
const report = (error: unknown): void => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
};
for (const keys of officials) {
  const id = keys.identity;
  nodes.set(id, await startNode({ id, keys, members, root, slotSeconds: SLOT_SECONDS, send: linksOf(id) }));
}
const [first, ...others] = [...nodes.values()];

// A relay tells one node or several. It takes a packet in before there is a leader, and passes it on.
const { discoveryVersion: version } = root.profile;
for (const [i, name] of ['ada', 'ben', 'cyd', 'dan'].entries()) {
  const signedDiscoveryItem = relayPacket(name, `192.0.2.${i + 1}:9001`, authorities);
  const message = discoveryMessage('publishToDiscovery', { version, signedDiscoveryItem }).body;
  for (const node of i % 2 === 0 ? nodes.values() : [first!]) {
    const { code } = await node.consensus.onReceivedPublishToDiscovery({ source: name }, message);
    process.stdout.write(`${name} at node ${members.indexOf(node.id) + 1}: ${code}\n`);
  }
}

// A client believes no node. It takes whatever is served, and counts signatures against its own trust root.
const deadline = performance.now() + 20_000;
for (;;) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  const served = await others[0]!.consensus.getDirectory();
  const verdict = served && (await verifyDirectory(served.directory, { root, atSeconds: Date.now() / 1000 }));
  if (verdict?.ok && verdict.items.length === 4) {
    process.stdout.write(`a directory of ${new Date(verdict.creation * 1000).toISOString()}, `);
    process.stdout.write(`signed by ${verdict.signers.length} of ${members.length} nodes:\n`);
    for (const { identity, address } of verdict.items) process.stdout.write(`  ${identity}  ${address.join(' ')}\n`);
    break;
  }
  if (performance.now() < deadline) continue;
  report('no directory with all relays in 20 s');
  break;
}
for (const node of nodes.values()) await node.stop();
