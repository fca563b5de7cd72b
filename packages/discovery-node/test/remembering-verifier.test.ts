import { hash } from 'node:crypto';
import { join } from 'node:path';
import { NodeSigner, oneRoot, PkiVerifier } from '../src/index.js';
import { RememberingVerifier, type PeriodMemory } from '../src/verdicts/remembering-verifier.js';
import { VerdictMemory } from '../src/verdicts/verdict-memory.js';
import { DATES, network, NOON, packetOf, relay, tampered } from './fixtures/people.js';
import { newFolder, removeFolders } from './fixtures/folder.js';

afterAll(removeFolders);

const { root, identities } = network(2);
const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');
const PACKET = packetOf(relay('ada'));
const DIGEST = sha256(PACKET);
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
  expect(first.recallPacket(PACKET, DIGEST)).toBeUndefined();
  const packetVerdict = await first.verifyPacket(PACKET, NOON, DIGEST);
  const word = await first.verifySignature(signature, PACKET, NOON, DIGEST);
  expect([packetVerdict, word]).toMatchObject([{ ok: true }, { ok: true, identity: signer.identity }]);
  await memory.close();

  const again = await openMemory(folder);
  const second = verifierWith(again);
  expect(second.recallPacket(PACKET, DIGEST)).toEqual(packetVerdict);
  expect(second.recallSignature(signature, DIGEST)).toEqual(word);
  for (let at = 0; at < PACKET.length; at++) {
    const other = tampered(PACKET, at);
    expect(second.recallPacket(other, sha256(other))).toBeUndefined();
    expect(second.recallSignature(signature, sha256(other))).toBeUndefined();
  }
  const { certificate } = identities[1]!;
  expect(second.recallSignature({ ...signature, certificate: certificate.bytes }, DIGEST)).toBeUndefined();
  expect(second.recallSignature({ ...signature, signature: tampered(signature.signature, 0) }, DIGEST)).toBeUndefined();
  await again.close();
});

test('what is refused, and what does not hold at that time, is not remembered', async () => {
  const noted: Uint8Array[] = [];
  const memory = { recall: () => undefined, note: (digest: Uint8Array) => void noted.push(digest) };
  const verifier = verifierWith(memory);
  const forged = tampered(PACKET, 20);
  expect(await verifier.verifyPacket(forged, NOON, sha256(forged))).toMatchObject({ ok: false });
  expect(await verifier.verifyPacket(PACKET, DATES.notAfter + 1, DIGEST)).toMatchObject({
    ok: false,
    timeDependent: true,
  });
  const signature = await signer.sign(PACKET);
  expect(await verifier.verifySignature(signature, forged, NOON, sha256(forged))).toMatchObject({ ok: false });
  // A listing is signed once and never comes again: the consensus gives no digest of it.
  const listing = new Uint8Array(5000);
  expect(await verifier.verifySignature(await signer.sign(listing), listing, NOON)).toMatchObject({ ok: true });
  expect(noted).toEqual([]);
});

test('a packet is never taken for a signature: a key says what it is of, and how long each part is', async () => {
  const keys = new Set<string>();
  const memory = { recall: (digest: Uint8Array) => void keys.add(String(digest)), note: () => undefined };
  const verifier = verifierWith(memory);
  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
  const word = (certificate: Uint8Array, signature: Uint8Array) => ({
    $typeName: 'protocol.DiscoverySignature' as const,
    certificate,
    signature,
  });
  verifier.recallSignature(word(bytes(1), bytes(2)), DIGEST);
  verifier.recallSignature(word(bytes(1, 2), bytes()), DIGEST);
  verifier.recallSignature(word(bytes(), bytes(1, 2)), DIGEST);
  // The bytes of which a signature's key is made, sent as a packet.
  const packet = Buffer.concat([bytes(0, 0, 0, 1, 1, 0, 0, 0, 1, 2), DIGEST]);
  verifier.recallPacket(packet, sha256(packet));
  verifier.recallPacket(PACKET, DIGEST);
  verifier.recallSignature(word(new Uint8Array(5000), bytes()), DIGEST);
  expect(keys.size).toBe(6);
});

test('what was verified while another trust root came is not remembered under it', async () => {
  const noted: Uint8Array[] = [];
  const memory = { recall: () => undefined, note: (digest: Uint8Array) => void noted.push(digest) };
  let basis = BASIS;
  const verifier = verifierWith(memory, () => basis);
  const signature = await signer.sign(PACKET);
  const verdicts = [
    verifier.verifyPacket(PACKET, NOON, DIGEST),
    verifier.verifySignature(signature, PACKET, NOON, DIGEST),
  ];
  basis = new Uint8Array(32).fill(2);
  expect(await Promise.all(verdicts)).toMatchObject([{ ok: true }, { ok: true }]);
  expect(noted).toEqual([]);
});

test('under another trust root nothing is recalled, be it new since the start or while the node runs', async () => {
  const folder = newFolder();
  const memory = await openMemory(folder);
  await verifierWith(memory).verifyPacket(PACKET, NOON, DIGEST);
  await memory.close();
  const again = await openMemory(folder);
  let basis = BASIS;
  const verifier = verifierWith(again, () => basis);
  expect(verifier.recallPacket(PACKET, DIGEST)).toBeDefined();
  basis = new Uint8Array(32).fill(2);
  expect(verifier.recallPacket(PACKET, DIGEST)).toBeUndefined();
  await again.close();
});
