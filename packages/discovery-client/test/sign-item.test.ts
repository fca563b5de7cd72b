import { itemShapeFault, readDiscoveryItem } from '@discovery-raft/psp-envelope';
import { CertificateVerifier, createMember, createTrustRoot, openSignedMessageAsync } from '@discovery-raft/psp-pki';
import { signItem, type OwnItem } from '../src/index.js';
import { DATES, NOON, official, VERSION } from './fixtures/network.js';

const authorities = ['anna', 'bert', 'cleo'].map((name) => official(name, 'auth'));
const relay = createMember({ subNamespace: 'onion', authorities, ...DATES });
const ITEM: OwnItem = {
  fingerprint: 'AB'.repeat(32),
  handshake: 'CD'.repeat(32),
  address: ['192.0.2.1:9001', '[2001:db8::1]:9001'],
  expiration: NOON + 3600,
};

test('what is signed is an item in the name of its certificate, and authentic', async () => {
  const root = createTrustRoot({ authorities: authorities.map(({ identity }) => identity) });
  const opened = await openSignedMessageAsync(signItem(relay, ITEM), new CertificateVerifier({ root }), NOON);
  expect(opened).toMatchObject({ ok: true, signed: { certificate: { identity: { text: relay.identity } } } });
  if (!opened.ok) return;
  const item = readDiscoveryItem(opened.signed.message)!;
  expect(item).toMatchObject({
    ...ITEM,
    ...{ version: VERSION, identity: relay.identity, mode: 'onion', expiration: BigInt(NOON + 3600) },
  });
  expect(itemShapeFault(item)).toBeUndefined();
});

test.each<[string, Partial<OwnItem>]>([
  ['fingerprint', { fingerprint: 'ab'.repeat(32) }],
  ['handshake', { handshake: '' }],
  ['address', { address: ['192.0.2.1'] }],
  ['number of addresses', { address: [] }],
  ['address', { address: Array.from({ length: 8 }, () => `${'a'.repeat(250)}:1`) }],
  ['expiration', { expiration: 1.5 }],
  ['expiration', { expiration: -1 }],
])('a wrong %s is refused before it is signed', (option, fields) => {
  expect(() => signItem(relay, { ...ITEM, ...fields })).toThrow(
    expect.objectContaining({ code: 'CLIENT_INVALID_OPTION', details: { option } }) as Error,
  );
});
