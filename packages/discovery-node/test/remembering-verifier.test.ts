import { join } from 'node:path';
import { NodeSigner, oneRoot, PkiVerifier } from '../src/index.js';
import { RememberingVerifier, type PeriodMemory } from '../src/verdicts/remembering-verifier.js';
import { VerdictMemory } from '../src/verdicts/verdict-memory.js';
import { DATES, network, NOON, packetOf, relay, tampered } from './fixtures/people.js';
import { newFolder, removeFolders } from './fixtures/folder.js';

afterAll(removeFolders);

const { root, identities } = network(2);
const PACKET = packetOf(relay('ada'));
const signer = new NodeSigner(identities[0]!);

const BASIS = new Uint8Array(32).fill(1);

function verifierWith(memory: PeriodMemory, basis = () => BASIS): RememberingVerifier {
  return new RememberingVerifier({ verifier: new PkiVerifier(oneRoot(root)), memory, basis });
}

const openMemory = (folder: string): Promise<VerdictMemory> => VerdictMemory.open({ folder });

test('recalls in another life exactly what it had found, and nothing that it had not', async () => {
  const folder = join(newFolder(), 'verdicts');
  const memory = await openMemory(folder);
  const first = verifierWith(memory);
  const signature = await signer.sign(PACKET);
  expect(first.recallPacket(PACKET)).toBeUndefined();
  const packetVerdict = await first.verifyPacket(PACKET, NOON);
  const word = await first.verifySignature(signature, PACKET, NOON);
  expect([packetVerdict, word]).toMatchObject([{ ok: true }, { ok: true, identity: signer.identity }]);
  await memory.close();

  const again = await openMemory(folder);
  const second = verifierWith(again);
  expect(second.recallPacket(PACKET)).toEqual(packetVerdict);
  expect(second.recallSignature(signature, PACKET)).toEqual(word);
  for (let at = 0; at < PACKET.length; at++) {
    const other = tampered(PACKET, at);
    expect(second.recallPacket(other)).toBeUndefined();
    expect(second.recallSignature(signature, other)).toBeUndefined();
  }
  const { certificate } = identities[1]!;
  expect(second.recallSignature({ ...signature, certificate: certificate.bytes }, PACKET)).toBeUndefined();
  expect(second.recallSignature({ ...signature, signature: tampered(signature.signature, 0) }, PACKET)).toBeUndefined();
  await again.close();
});

test('what is refused, and what does not hold at that time, is not remembered', async () => {
  const noted: Uint8Array[] = [];
  const memory = { recall: () => undefined, note: (digest: Uint8Array) => void noted.push(digest) };
  const verifier = verifierWith(memory);
  expect(await verifier.verifyPacket(tampered(PACKET, 20), NOON)).toMatchObject({ ok: false });
  expect(await verifier.verifyPacket(PACKET, DATES.notAfter + 1)).toMatchObject({ ok: false, timeDependent: true });
  const signature = await signer.sign(PACKET);
  expect(await verifier.verifySignature(signature, tampered(PACKET, 20), NOON)).toMatchObject({ ok: false });
  // A listing is signed once and never comes again.
  const listing = new Uint8Array(5000);
  expect(await verifier.verifySignature(await signer.sign(listing), listing, NOON)).toMatchObject({ ok: true });
  expect(noted).toEqual([]);
  expect(verifier.recallSignature(signature, listing)).toBeUndefined();
});

test('a packet is never taken for a signature: what is hashed says what it is, and how long each part is', async () => {
  const digests = new Set<string>();
  const memory = { recall: (digest: Uint8Array) => void digests.add(String(digest)), note: () => undefined };
  const verifier = verifierWith(memory);
  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
  const word = (certificate: Uint8Array, signature: Uint8Array) => ({
    $typeName: 'protocol.DiscoverySignature' as const,
    certificate,
    signature,
  });
  verifier.recallPacket(bytes(1, 2, 3));
  verifier.recallSignature(word(bytes(1), bytes(2)), bytes(3));
  verifier.recallSignature(word(bytes(1, 2), bytes()), bytes(3));
  verifier.recallSignature(word(bytes(1), bytes()), bytes(2, 3));
  verifier.recallSignature(word(bytes(), bytes()), bytes(1, 2, 3));
  expect(digests.size).toBe(5);
});

test('under another trust root nothing is recalled, be it new since the start or while the node runs', async () => {
  const folder = newFolder();
  const memory = await openMemory(folder);
  await verifierWith(memory).verifyPacket(PACKET, NOON);
  await memory.close();
  const again = await openMemory(folder);
  let basis = BASIS;
  const verifier = verifierWith(again, () => basis);
  expect(verifier.recallPacket(PACKET)).toBeDefined();
  basis = new Uint8Array(32).fill(2);
  expect(verifier.recallPacket(PACKET)).toBeUndefined();
  await again.close();
});
