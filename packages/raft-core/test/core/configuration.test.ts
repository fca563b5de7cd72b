import fc from 'fast-check';
import {
  allServers,
  checkConfiguration,
  ConfigurationHistory,
  decodeConfiguration,
  encodeConfiguration,
  isVoterIn,
  voterGroups,
} from '../../src/core/configuration.js';
import { RaftError, type Configuration, type Server } from '../../src/index.js';

const suffrage = fc.constantFrom('voter' as const, 'nonvoter' as const, 'staging' as const);
const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 });
const servers = fc
  .uniqueArray(fc.record({ suffrage, id: text, address: text }), { minLength: 1, maxLength: 5, selector: (s) => s.id })
  .map((list) => list.map((server, i): Server => (i === 0 ? { ...server, suffrage: 'voter' } : server)))
  .map((list) => list.map((server, i) => ({ ...server, address: `${server.address}${i}` })))
  .filter((list) => new Set(list.map(({ address }) => address)).size === list.length);
const configurations: fc.Arbitrary<Configuration> = fc
  .tuple(servers, fc.option(servers))
  .map(([list, outgoing]) => ({ servers: list, ...(outgoing === null ? {} : { outgoing }) }));

function code(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error instanceof RaftError ? error.code : error;
  }
  return 'none';
}

const bytes = (value: unknown): Uint8Array => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const a: Server = { suffrage: 'voter', id: 'a', address: 'A' };
const b: Server = { suffrage: 'nonvoter', id: 'b', address: 'B' };

describe('the configuration codec', () => {
  test('reads what it wrote, whatever the names', () => {
    fc.assert(
      fc.property(configurations, (configuration) => {
        const encoded = encodeConfiguration(configuration);
        expect(encoded.every((byte) => byte < 0x80)).toBe(true);
        expect(decodeConfiguration(encoded)).toEqual(configuration);
      }),
      { seed: 5, numRuns: 200 },
    );
  });

  test('bytes that are no configuration give a typed error, never another', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.json().map(bytes)), (garbage) => {
        expect(['RAFT_MALFORMED', 'RAFT_INVALID_CONFIGURATION']).toContain(code(() => decodeConfiguration(garbage)));
      }),
      { seed: 6, numRuns: 500 },
    );
  });

  test.each([
    ['no JSON', '{'],
    ['null', null],
    ['no servers', {}],
    ['servers that are no list', { servers: {} }],
    ['a server that is null', { servers: [null] }],
    ['an unknown suffrage', { servers: [{ ...a, suffrage: 'king' }] }],
    ['an id that is a number', { servers: [{ ...a, id: 1 }] }],
    ['outgoing servers that are no list', { servers: [a], outgoing: 1 }],
  ])('refuses %s as malformed', (_, value) => {
    expect(code(() => decodeConfiguration(bytes(value)))).toBe('RAFT_MALFORMED');
  });

  test.each([
    ['no server', { servers: [] }],
    ['no voter', { servers: [b] }],
    ['an empty id', { servers: [{ ...a, id: '' }] }],
    ['an empty address', { servers: [{ ...a, address: '' }] }],
    ['a server twice', { servers: [a, { ...b, id: 'a' }] }],
    ['an address twice', { servers: [a, { ...b, address: 'A' }] }],
    ['outgoing servers without a voter', { servers: [a], outgoing: [b] }],
  ])('refuses %s as invalid', (_, value) => {
    expect(code(() => checkConfiguration(value as Configuration))).toBe('RAFT_INVALID_CONFIGURATION');
    expect(code(() => decodeConfiguration(bytes(value)))).toBe('RAFT_INVALID_CONFIGURATION');
  });
});

test.each([
  ['no list of servers', {}],
  ['servers that are no list', { servers: 'ab' }],
  ['a server that is null', { servers: [a, null] }],
  ['a suffrage as hashicorp/raft writes it', { servers: [a, { ...b, suffrage: 'Nonvoter' }] }],
  ['no suffrage', { servers: [a, { id: 'b', address: 'B' }] }],
  ['an id that is a number', { servers: [a, { ...b, id: 2 }] }],
  ['no address', { servers: [a, { id: 'b', suffrage: 'nonvoter' }] }],
  ['outgoing servers that are no list', { servers: [a], outgoing: {} }],
])('%s, which could not be read from a log again, does not get into one', (_, value) => {
  expect(code(() => checkConfiguration(value as unknown as Configuration))).toBe('RAFT_INVALID_CONFIGURATION');
});

describe('who counts', () => {
  test('only voters vote', () => {
    const staging: Server = { suffrage: 'staging', id: 's', address: 'S' };
    expect(voterGroups({ servers: [a, b, staging] })).toEqual([['a']]);
    expect(isVoterIn({ servers: [a, b, staging] }, 's')).toBe(false);
  });

  test('a joint change has two groups, and a voter of either half is a voter (section 6)', () => {
    const joint: Configuration = {
      servers: [
        { ...b, suffrage: 'voter' },
        { ...a, suffrage: 'nonvoter' },
      ],
      outgoing: [a, b],
    };
    expect(voterGroups(joint)).toEqual([['b'], ['a']]);
    expect(allServers(joint).map(({ id, suffrage: s }) => [id, s])).toEqual([
      ['a', 'voter'],
      ['b', 'voter'],
    ]);
    expect(isVoterIn(joint, 'a')).toBe(true);
  });
});

describe('the history of configurations', () => {
  const at = (index: number): { index: number; configuration: Configuration } => ({
    index,
    configuration: { servers: [{ ...a, address: `A${index}` }] },
  });

  test('the newest counts from its append; truncation brings back the one before (rule 9)', () => {
    const history = new ConfigurationHistory(at(1));
    history.append(at(5));
    expect(history.latest.index).toBe(5);
    expect(history.truncateFrom(6)).toBe(false);
    expect(history.truncateFrom(5)).toBe(true);
    expect(history.latest.index).toBe(1);
  });

  test('the oldest is never truncated, and compaction keeps the one that counts', () => {
    const history = new ConfigurationHistory(at(1));
    history.append(at(5));
    history.append(at(9));
    expect(history.at(4).index).toBe(1);
    expect(history.at(8).index).toBe(5);
    history.compact(7);
    expect(history.at(8).index).toBe(5);
    expect(history.truncateFrom(1)).toBe(true);
    expect(history.latest.index).toBe(5);
    history.reset(at(20));
    expect(history.latest.index).toBe(20);
  });
});
