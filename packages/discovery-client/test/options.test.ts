import { createTrustRoot } from '@discovery-raft/psp-pki';
import { CLIENT_ERROR_CODES, ClientError, DiscoveryClient, formatAddress } from '../src/index.js';
import { listing, network, signed } from './fixtures/network.js';
import { World } from './fixtures/world.js';

const { root, identities } = network(4);
const nodes = [{ host: 'n0', port: 1 }];

test.each<[string, object]>([
  ['nodes', { nodes: [] }],
  ['nodes', { nodes: [{ host: '', port: 1 }] }],
  ['nodes', { nodes: [{ host: 'n0', port: 0 }] }],
  ['nodes', { nodes: [{ host: 'n0', port: 65_536 }] }],
  ['root', { root: createTrustRoot({}) }],
  ['mirrors', { mirrors: ['ftp://mirror.example'] }],
  ['requiredSignatures', { requiredSignatures: 0 }],
  ['staggerMs', { staggerMs: -1 }],
  ['newestWindowMs', { newestWindowMs: Number.NaN }],
  ['maxDirectoryBytes', { maxDirectoryBytes: 0.5 }],
  ['maxConcurrent', { maxConcurrent: 0 }],
])('an option out of its range is refused by its name: %s', (option, change) => {
  const make = (): DiscoveryClient => new DiscoveryClient({ root, nodes, ...change });
  expect(make).toThrow(ClientError);
  expect(make).toThrow(expect.objectContaining({ code: 'CLIENT_INVALID_OPTION', details: { option } }) as Error);
});

test('how many signatures suffice is the client’s own setting', async () => {
  const world = new World([{ directory: signed(listing(), identities.slice(0, 2)) }]);
  const ask = (options: object) => world.settled(world.client({ root, ...options }).getFullList(1000));
  await expect(ask({})).rejects.toMatchObject({ details: { answers: [{ code: 'quorumMissing' }] } });
  await expect(ask({ policy: 'documented' })).resolves.toMatchObject({ directory: { signers: { length: 2 } } });
  await expect(ask({ requiredSignatures: 2 })).resolves.toMatchObject({ source: 'n0:1' });
  await expect(ask({ requiredSignatures: 3, policy: 'documented' })).rejects.toMatchObject({ retryable: true });
});

test('a client that was closed says so, and closing twice is closing', async () => {
  const world = new World([{ directory: 'silence' }]);
  const client = world.client({ root });
  client.close();
  client.close();
  await expect(world.settled(client.getFullList(1000))).rejects.toMatchObject({ code: 'CLIENT_CLOSED' });
});

test('addresses are written as people write them', () => {
  expect(formatAddress({ host: 'node.example', port: 4433 })).toBe('node.example:4433');
  expect(formatAddress({ host: '2001:db8::1', port: 4433 })).toBe('[2001:db8::1]:4433');
});

test('every error code is one of this package', () => {
  for (const code of CLIENT_ERROR_CODES) {
    expect(code).toMatch(/^CLIENT_/);
    expect(new ClientError(code, 'text')).toMatchObject({ code, message: `text [${code}]` });
  }
});
