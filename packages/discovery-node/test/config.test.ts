import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { closest, formatPath } from '../src/config/problem.js';
import { loadConfig, readConfig } from '../src/config/load.js';
import { variableOf } from '../src/config/overlay.js';
import { configSchema, settings } from '../src/config/schema.js';
import { settingsTable, showConfig } from '../src/config/show.js';
import { newFolder, removeFolders } from './fixtures/folder.js';
import { official } from './fixtures/people.js';

const ADA = official('config ada', 'discovery').identity;
const BEN = official('config ben', 'discovery').identity;
const MEMBERS = `members:
  - identity: ${ADA}
    fingerprint: ${'AB'.repeat(32)}
    host: 192.0.2.1
    port: 9100
  - identity: ${BEN}
    fingerprint: ${'CD'.repeat(32)}
    host: 192.0.2.2
    port: 9100
`;

afterAll(removeFolders);

function fileWith(text: string, name = 'node.yaml'): string {
  const file = join(newFolder(), name);
  writeFileSync(file, text);
  return file;
}

async function problemsOf(text: string, env: Record<string, string> = {}, flags: string[] = []) {
  const file = fileWith(text);
  const result = await readConfig({ file, env, flags });
  if (result.ok) return [];
  return result.problems.map(({ path, message, advice, source }) => ({
    at: formatPath(path),
    message,
    advice,
    source: source.replace(file, 'FILE'),
  }));
}

describe('a good configuration', () => {
  test('the members are enough; everything else has a default, and paths are relative to the file', async () => {
    const file = fileWith(MEMBERS);
    const { config, path } = await loadConfig({ file });
    expect(config).toMatchObject({
      version: 1,
      listen: { host: '0.0.0.0', port: 9100 },
      consensus: { policy: 'safe', slotSeconds: 900 },
      http: { enabled: true, host: '127.0.0.1' },
      log: { level: 'info', format: 'auto' },
    });
    expect(config.members.map(({ identity }) => identity)).toEqual([ADA, BEN]);
    expect(path(config.keys.directory)).toBe(join(file, '..', 'keys'));
    expect(path('/somewhere')).toBe('/somewhere');
  });

  test('JSON is taken too', async () => {
    const { config } = await loadConfig({ file: fileWith(MEMBERS) });
    const again = await loadConfig({ file: fileWith(JSON.stringify(config), 'node.json') });
    expect(again.config).toEqual(config);
  });

  test('what `config show` prints is that configuration', async () => {
    const { config } = await loadConfig({ file: fileWith(MEMBERS) });
    const again = await loadConfig({ file: fileWith(showConfig(config)) });
    expect(again.config).toEqual(config);
  });

  test('flags go over the environment, the environment over the file, the file over the defaults', async () => {
    const file = fileWith(`${MEMBERS}listen: { port: 1 }\nlog: { level: warn }\nname: ada\n`);
    const env = {
      DISCOVERY_NODE_LISTEN_PORT: '2',
      DISCOVERY_NODE_HTTP_ENABLED: 'false',
      DISCOVERY_NODE_LISTEN_MAX_CONNECTIONS: '7',
      DISCOVERY_NODE_CONFIG: 'not a setting',
      OTHER: 'x',
    };
    const flags = ['listen.port=3', 'raft.heartbeatTimeoutMs=500', 'name=a=b', 'raft.preVote=false'];
    const { config } = await loadConfig({ file, env, flags });
    expect(config.listen).toMatchObject({ host: '0.0.0.0', port: 3, maxConnections: 7 });
    expect(config.http.enabled).toBe(false);
    expect(config.log.level).toBe('warn');
    expect(config.raft).toMatchObject({ heartbeatTimeoutMs: 500, preVote: false });
    expect(config.name).toBe('a=b');
  });
});

test('signatures of Raft packets are preferred; off needs no quotes', async () => {
  const file = fileWith(`${MEMBERS}raft: { signatures: off }\n`);
  expect((await loadConfig({ file: fileWith(MEMBERS) })).config.raft).toEqual({ signatures: 'prefer' });
  expect((await loadConfig({ file })).config.raft.signatures).toBe('off');
  const env = { DISCOVERY_NODE_RAFT_SIGNATURES: 'prefer' };
  expect((await loadConfig({ file, env })).config.raft.signatures).toBe('prefer');
  expect((await loadConfig({ file, env, flags: ['raft.signatures=require'] })).config.raft.signatures).toBe('require');
});

describe('every error is explained with its path, its place, and what to do', () => {
  test.each([
    ['listen: { port: 70000 }', 'listen.port', 'is 70000', 'It must be at most 65535.', 'FILE:10:11'],
    ['listen: { port: "9100" }', 'listen.port', 'is "9100"', 'It must be a number.', 'FILE:10:11'],
    ['listen:\n  prot: 9100', 'listen.prot', 'is no setting', 'Did you mean port?', 'FILE:11:3'],
    ['lisen: { port: 1 }', 'lisen', 'is no setting', 'Did you mean listen?', 'FILE:10:1'],
    ['http: { consensus: 1 }', 'http.consensus', 'is no setting', 'consensus belongs to the root of the file', ''],
    ['consensus: { policy: lax }', 'consensus.policy', 'is "lax"', 'one of "safe", "documented"', 'FILE:10:14'],
    ['consensus: { slotSeconds: 0.5 }', 'consensus.slotSeconds', 'is 0.5', 'a whole number', ''],
    ['consensus: { voteSeconds: 600 }', 'consensus.voteSeconds', 'does not fit', 'at most half a slot', ''],
    [
      'raft: { electionTimeoutMs: 10 }',
      'raft.electionTimeoutMs',
      '(10) is below raft.heartbeatTimeoutMs',
      'Raise it',
      '',
    ],
    [
      'raft: { trailingLogs: 3, commitTimeoutMs: 0 }',
      'raft.commitTimeoutMs',
      'is 0',
      'whole number of at least 1.',
      'FILE:10:26',
    ],
    ['raft: { maxEntryBytes: 999999999 }', 'raft.maxEntryBytes', 'is 999999999', 'must fit maxUncommittedBytes', ''],
    ['raft: { leaderLeaseTimeoutMs: 2000 }', 'raft.leaderLeaseTimeoutMs', '(2000) is above', 'Lower it', ''],
    ['raft: { heartbeat: 10 }', 'raft.heartbeat', 'is no setting', 'Did you mean heartbeatTimeoutMs?', ''],
    ['raft: { signatures: maybe }', 'raft.signatures', 'is "maybe"', 'one of "require", "prefer", "off"', 'FILE:10:9'],
    ['raft: { signatures: false }', 'raft.signatures', 'is false', 'one of "require", "prefer", "off"', ''],
    ['raft: { signature: off }', 'raft.signature', 'is no setting', 'Did you mean signatures?', ''],
    ['raft: { colour: 10 }', 'raft.colour', 'is no setting', 'config show --settings', ''],
    ['http: 5', 'http', 'is 5', 'a section with settings', ''],
    ['http: { port: 9100 }', 'http.port', 'is the port of listen too', 'a port of its own', ''],
    ['log: { level: loud }', 'log.level', 'is "loud"', '"debug", "info", "warn", "error", "silent"', ''],
    ['advertise: { host: 0.0.0.0, port: 1 }', 'advertise.host', 'no address that anybody can connect to', 'others', ''],
  ])('%s', async (text, at, message, advice, source) => {
    const problems = await problemsOf(`${MEMBERS}${text}\n`);
    expect(problems).toHaveLength(1);
    expect(problems[0]!.at).toBe(at);
    expect(problems[0]!.message).toContain(message);
    expect(problems[0]!.advice).toContain(advice);
    if (source !== '') expect(problems[0]!.source).toBe(source);
  });

  test('members: missing, doubled, of the wrong kind', async () => {
    expect(await problemsOf('name: x')).toEqual([
      expect.objectContaining({ at: 'members', message: 'names nobody', source: 'FILE' }),
    ]);
    expect(await problemsOf('members: []')).toEqual([
      expect.objectContaining({ at: 'members', message: 'names nobody' }),
    ]);
    expect(await problemsOf('join:\n  peers:\n    - host: d1.example\n      port: 9100')).toEqual([]);
    const relay = ADA.replace('.discovery.', '.onion.');
    const wrong = MEMBERS.replace(BEN, ADA).replace('CD'.repeat(32), 'cd'.repeat(32));
    expect((await problemsOf(wrong)).map(({ at }) => at)).toEqual(['members[1].fingerprint']);
    const doubled = await problemsOf(MEMBERS.replace(BEN, ADA).replace('192.0.2.2', '192.0.2.1'));
    expect(doubled.map(({ at }) => at)).toEqual(['members[1].identity', 'members[1].port']);
    expect(doubled[0]).toMatchObject({ message: 'is that of members[0] too', source: 'FILE:6:5' });
    expect((await problemsOf(MEMBERS.replace(BEN, relay)))[0]!.at).toBe('members[1].identity');
    const missing = await problemsOf(MEMBERS.replace('    port: 9100\n', ''));
    expect(missing).toEqual([expect.objectContaining({ at: 'members[0].port', message: 'is missing' })]);
  });

  test('all of them in one go', async () => {
    const problems = await problemsOf(`${MEMBERS}listen: { port: -1, hots: x }\nnmae: x\n`);
    expect(problems.map(({ at }) => at).sort()).toEqual(['listen.hots', 'listen.port', 'nmae']);
  });

  test('syntax: the place in the file', async () => {
    expect(await problemsOf('members: [\n  {')).toEqual([
      expect.objectContaining({ at: '(file)', source: expect.stringMatching(/^FILE:\d+:\d+$/) }),
      expect.objectContaining({ at: '(file)' }),
    ]);
  });

  test('the environment and flags are named as the source', async () => {
    const env = { DISCOVERY_NODE_LISTEN_PORT: 'many', DISCOVERY_NODE_LISTN_HOST: 'x' };
    const problems = await problemsOf(MEMBERS, env, ['log.level=loud', 'log.levle=info', 'log']);
    expect(problems).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ at: 'listen.port', source: 'environment DISCOVERY_NODE_LISTEN_PORT' }),
        expect.objectContaining({
          source: 'environment DISCOVERY_NODE_LISTN_HOST',
          advice: 'Did you mean DISCOVERY_NODE_LISTEN_HOST?',
        }),
        expect.objectContaining({ at: 'log.level', source: 'flag --set log.level' }),
        expect.objectContaining({ source: 'flag --set log.levle', advice: 'Did you mean log.level?' }),
        expect.objectContaining({ source: 'flag --set log', message: 'has no value' }),
      ]),
    );
    expect(problems).toHaveLength(5);
  });

  test('a file that cannot be read says so with its path', async () => {
    const file = join(newFolder(), 'absent.yaml');
    await expect(readConfig({ file })).rejects.toMatchObject({
      code: 'NODE_CONFIG_UNREADABLE',
      message: expect.stringContaining(file),
    });
  });

  test('aliases that expand into much are not expanded', async () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
    for (const [name, before] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf', 'hg'].map((pair) => [pair[0]!, pair[1]!])) {
      bomb.push(`${name}: &${name} [${Array.from({ length: 10 }, () => `*${before}`).join(', ')}]`);
    }
    expect(await problemsOf(bomb.join('\n'))).toEqual([expect.objectContaining({ message: 'cannot be expanded' })]);
  });

  test('loadConfig throws them all as one error with the text for people', async () => {
    const file = fileWith(`${MEMBERS}log: { level: loud }\n`);
    await expect(loadConfig({ file })).rejects.toMatchObject({
      code: 'NODE_CONFIG_INVALID',
      message: expect.stringContaining('log.level is "loud"'),
    });
  });
});

describe('settings', () => {
  test('every one has a description and a variable of its own', () => {
    const all = settings();
    expect(all.length).toBeGreaterThan(60);
    expect(all.filter(({ description }) => description === '').map(({ path }) => path.join('.'))).toEqual([]);
    expect(new Set(all.map(({ path }) => variableOf(path))).size).toBe(all.length);
    expect(variableOf(['listen', 'maxConnectionsPerAddress'])).toBe(
      'DISCOVERY_NODE_LISTEN_MAX_CONNECTIONS_PER_ADDRESS',
    );
  });

  test('the defaults of the table are those that are filled in', () => {
    const config = configSchema.parse({
      members: [{ identity: ADA, fingerprint: 'AB'.repeat(32), host: 'a', port: 1 }],
    }) as Record<string, unknown>;
    for (const { path, default: value } of settings()) {
      if (value === undefined) continue;
      expect([path, path.reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], config)]).toEqual([
        path,
        value,
      ]);
    }
  });

  test('the README explains each section and shows every setting that is not of Raft', () => {
    const readme = readFileSync(join(__dirname, '../README.md'), 'utf8');
    const names = settingsTable().map(([name]) => name);
    expect(names.filter((name) => !name.startsWith('raft.') && !readme.includes(`\`${name}\``))).toEqual([]);
  });
});

test('closest finds slips of the pen, and nothing for a name of its own', () => {
  expect(closest('prot', ['port', 'host'])).toBe('port');
  expect(closest('colour', ['port', 'host'])).toBeUndefined();
});
