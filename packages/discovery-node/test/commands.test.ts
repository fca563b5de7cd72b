import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { DiscoveryDirectorySchema, DiscoveryListingSchema } from '@discovery-raft/protocol';
import { silentLogger } from '@discovery-raft/raft-core';
import { AdminServer, type AdminHandlers } from '../src/admin/admin-server.js';
import { AdminError } from '../src/admin/admin-error.js';
import { PACKET_REFUSALS, type StatusReport } from '../src/index.js';
import { SHELLS } from '../src/cli/completion-script.js';
import { EXIT, exitCodeOf } from '../src/cli/exit-codes.js';
import { addAllCommands } from '../src/cli/all-commands.js';
import { makeProgram } from '../src/cli/program.js';
import { formatBytes, formatSpan, formatTable, shortIdentity } from '../src/cli/table.js';
import { NodeError } from '../src/errors.js';
import { formatTrustRoot } from '../src/keys/trust-root-file.js';
import { run } from './fixtures/command-line.js';
import { newFolder, removeFolders } from './fixtures/folder.js';
import { network, official } from './fixtures/people.js';

const ADA = official('commands ada', 'discovery').identity;
const BEN = official('commands ben', 'discovery').identity;
const NOW = 2_000_000_000;
const GOLDEN = join(__dirname, 'fixtures/golden');
const servers: AdminServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});
afterAll(removeFolders);

/** What is printed must be what was looked at and kept; `UPDATE_GOLDEN=1` writes it anew, to be looked at again. */
function expectGolden(name: string, text: string): void {
  const file = join(GOLDEN, `${name}.txt`);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, 'utf8'));
}

const STATUS: StatusReport = {
  identity: ADA,
  now: NOW,
  raft: {
    state: 'follower',
    term: 7,
    leaderId: BEN,
    lastIndex: 1200,
    commitIndex: 1200,
    appliedIndex: 1180,
    signatures: 'prefer',
  },
  consensus: { state: 'FollowerRunning', quorum: 2, counters: {} as StatusReport['consensus']['counters'] },
  roots: { inForce: 2, nodes: 3, newest: 3, newestActivation: NOW + 600, signed: 3 },
  list: { index: 1180, records: 12, listable: 10, pending: 2, liveBytes: 34_567 },
  state: { round: 2_222_222, index: 1170, digest: '5f'.repeat(32) },
  directory: {
    round: 2_222_222,
    creation: NOW - 300,
    expiration: NOW + 2400,
    items: 9,
    signatures: 2,
    digest: 'ab'.repeat(32),
  },
  peers: [
    { identity: BEN, linked: true, packetSignature: 'good' },
    { identity: 'c', linked: false, packetSignature: null },
  ],
  clients: 3,
  traffic: { bytesSent: 1, bytesReceived: 2, messagesSent: 3, messagesReceived: 4, malformed: 0 },
  droppedPackets: Object.fromEntries(PACKET_REFUSALS.map((reason) => [reason, 0])) as StatusReport['droppedPackets'],
  process: {
    name: 'ada',
    version: '1.2.3',
    pid: 4711,
    startedAt: NOW - 5000,
    uptimeSeconds: 5000,
    rssBytes: 98_000_000,
    peakRssBytes: 99_000_000,
    fingerprint: 'AB'.repeat(32),
    listen: { host: '0.0.0.0', port: 9100 },
    http: null,
    manualClock: false,
    ready: false,
    notReadyBecause: ['it knows no leader', 'it has no directory to serve'],
  },
  rounds: {
    slot: 2_222_222,
    nextAt: NOW + 600,
    last: { round: 2_222_222, published: true, signatures: 2, items: 9, reason: '' },
  },
  links: [{ peer: BEN, address: '192.0.2.2:9100', state: 'up' }],
  storeBytes: 5_000_000,
};

/** A node that answers what a test gives it. */
async function node(handlers: Partial<AdminHandlers>): Promise<string> {
  const socket = join(newFolder(), 's');
  const refuse = (): never => {
    throw new AdminError('ADMIN_NOT_ALLOWED', 'not in this test');
  };
  const all = new Proxy(handlers, { get: (of, name): unknown => Reflect.get(of, name) ?? refuse });
  servers.push(await AdminServer.listen({ socket, handlers: all as AdminHandlers, logger: silentLogger }));
  return socket;
}

describe('what people see', () => {
  test('status', async () => {
    const socket = await node({ status: () => STATUS });
    expectGolden(
      'status',
      (await run(['status', '--socket', socket])).stdout.replaceAll(ADA, 'ADA').replaceAll(BEN, 'BEN'),
    );
    const json = await run(['status', '--socket', socket, '--json']);
    expect(JSON.parse(json.stdout)).toEqual(STATUS);
    expect(json.stdout).toMatch(/^[^\n]+\n$/);
  });

  test.each([
    ['prefer', 'good', 'signed'],
    ['require', 'outsideDates', 'signed, by a certificate outside its dates'],
    ['prefer', 'none', 'not signed'],
    ['prefer', 'downgraded', 'REFUSED: downgraded'],
    ['require', null, 'none yet'],
    ['off', null, 'not looked at'],
  ] as const)('status of a peer: %s, %s', async (signatures, packetSignature, said) => {
    const raft = { ...STATUS.raft, signatures };
    const peers = [{ identity: BEN, linked: true, packetSignature }];
    const socket = await node({ status: () => ({ ...STATUS, raft, peers }) });
    const { stdout } = await run(['status', '--socket', socket]);
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(new RegExp(`up +${said}$`));
  });

  test('that all peers sign, where they need not yet', async () => {
    const peers = [ADA, BEN].map((identity) => ({ identity, linked: true, packetSignature: 'good' as const }));
    const hint = /set raft\.signatures to require/;
    const said = async (change: Partial<StatusReport>): Promise<string> => {
      const socket = await node({ status: () => ({ ...STATUS, peers, ...change }) });
      return (await run(['status', '--socket', socket])).stdout;
    };
    expect(await said({})).toMatch(hint);
    expect(await said({ raft: { ...STATUS.raft, signatures: 'require' } })).not.toMatch(hint);
    expect(await said({ peers: [...peers, { ...peers[0]!, packetSignature: null }] })).not.toMatch(hint);
    expect(await said({ peers: [] })).not.toMatch(hint);
  });

  test('members', async () => {
    const socket = await node({
      'members.list': () => ({
        index: 4,
        servers: [
          { id: 'ada', suffrage: 'voter', configured: true, address: '192.0.2.1:9100' },
          { id: 'benjamin', suffrage: 'nonvoter', configured: false, address: null },
        ],
      }),
    });
    expectGolden('members', (await run(['members', '--socket', socket])).stdout);
  });

  test('list goes through all pages, and stops at --limit', async () => {
    const item = (identity: string) => ({
      identity,
      expiration: 1,
      mode: 'onion',
      address: ['a:1'],
      attesters: ['x', 'y'],
    });
    const pages = [
      { items: [item('a'), item('b')], next: 'b', index: 1 },
      { items: [item('c')], next: null, index: 1 },
    ];
    const asked: unknown[] = [];
    const socket = await node({
      list: (params) => {
        asked.push(params);
        return pages[params.after === undefined ? 0 : 1]!;
      },
    });
    expectGolden('list', (await run(['list', '--socket', socket])).stdout);
    expect(asked).toEqual([{ limit: 500 }, { limit: 500, after: 'b' }]);
    expect(JSON.parse((await run(['list', '--socket', socket, '--limit', '1', '--json'])).stdout)).toHaveLength(1);
  });

  test('round: how the last one ended; --now begins one, and a round without a directory ends with 1', async () => {
    const ended = { round: 5, published: false, signatures: 1, items: 0, reason: 'no quorum' };
    const socket = await node({ status: () => STATUS, round: () => ({ round: 5, ended }) });
    expect(await run(['round', '--socket', socket])).toEqual({
      code: EXIT.ok,
      stdout: 'Round 2222222: 9 items, 2 signatures.\nThe next begins in 10 min.\n',
      stderr: '',
    });
    expect(await run(['round', '--now', '--socket', socket])).toMatchObject({
      code: EXIT.lostOrWrong,
      stdout: 'Round 5 gave no directory: no quorum.\n',
    });
  });

  test.each([
    [['members', 'add', 'ada', '--voter'], 'members.add', { identity: 'ada', voter: true, timeoutMs: 30_000 }],
    [['members', 'remove', 'ada'], 'members.remove', { identity: 'ada', timeoutMs: 30_000 }],
    [['members', 'promote', 'ada', '--timeout', '5'], 'members.promote', { identity: 'ada', timeoutMs: 5000 }],
    [['members', 'demote', 'ada'], 'members.demote', { identity: 'ada', timeoutMs: 30_000 }],
  ] as const)('%j asks for it', async (args, method, params) => {
    const change = jest.fn(() => ({ index: 9 }));
    const socket = await node({ [method]: change });
    const { code, stdout } = await run([...args, '--socket', socket, '--json']);
    expect([code, stdout]).toEqual([EXIT.ok, '{"index":9}\n']);
    expect(change).toHaveBeenCalledWith(params);
  });

  test('the clock', async () => {
    const set = jest.fn(({ unixSeconds }: { unixSeconds: number }) => ({ unixSeconds }));
    const socket = await node({ 'clock.set': set, 'clock.get': () => ({ unixSeconds: NOW, manual: true }) });
    expect((await run(['clock', '--socket', socket])).stdout).toBe('2033-05-18T03:33:20Z (moves by command only)\n');
    expect((await run(['clock', 'set', '2033-05-18T03:33:21Z', '--socket', socket])).stdout).toBe(
      '2033-05-18T03:33:21Z\n',
    );
    expect(set).toHaveBeenCalledWith({ unixSeconds: NOW + 1 });
    expect(await run(['clock', 'set', 'soon', '--socket', socket])).toMatchObject({ code: EXIT.usage });
  });
});

describe('exit codes', () => {
  test('no node answers: 4, with the path', async () => {
    const { code, stderr } = await run(['status', '--socket', '/nowhere/s']);
    expect(code).toBe(EXIT.unreachable);
    expect(stderr).toContain('/nowhere/s');
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  test('the node refuses: 3, with its code', async () => {
    const { code, stderr } = await run(['snapshot', '--socket', await node({})]);
    expect(code).toBe(EXIT.failed);
    expect(stderr).toContain('not in this test (ADMIN_NOT_ALLOWED)');
  });

  test('configuration: 2, with every problem', async () => {
    const file = join(newFolder(), 'node.yaml');
    writeFileSync(file, 'listen: { port: x }\nmembers: 3\n');
    const { code, stderr } = await run(['status', '--config', file]);
    expect(code).toBe(EXIT.usage);
    expect(stderr).toContain('listen.port is "x"');
    expect(stderr).toContain('members is 3');
    const check = await run(['config', 'check', file, '--json']);
    expect(check.code).toBe(EXIT.usage);
    expect(JSON.parse(check.stdout)).toMatchObject({
      ok: false,
      problems: [{ path: 'listen.port' }, { path: 'members' }],
    });
    expect(await run(['start', '--config', file])).toMatchObject({ code: EXIT.usage });
    expect((await run(['config', 'check'], { env: { DISCOVERY_NODE_CONFIG: file } })).stdout).toContain('listen.port');
    expect(await run(['status', '--config', `${file}.absent`])).toMatchObject({ code: EXIT.usage });
  });

  test.each([
    ['NODE_DATA_LOCKED', EXIT.locked],
    ['NODE_DATA_CORRUPT', EXIT.data],
    ['NODE_EXISTS', EXIT.usage],
    ['NODE_TIMEOUT', EXIT.failed],
  ] as const)('%s', (code, expected) => {
    const error = new NodeError(code, 'x');
    expect(exitCodeOf(error)).toBe(expected);
    expect(exitCodeOf(new Error('outer', { cause: error }))).toBe(expected);
  });
});

describe('verify, offline', () => {
  const { root } = network(3);
  const folder = newFolder();
  const trustRoot = join(folder, 'root.json');
  const file = join(folder, 'directory.bin');
  const verify = (...args: string[]) => run(['verify', file, '--trust-root', trustRoot, ...args]);

  beforeAll(() => writeFileSync(trustRoot, formatTrustRoot(root)));

  test('what is no directory, and one that nobody signed, are not to be believed: 1', async () => {
    writeFileSync(file, 'no directory at all');
    expect(await verify()).toMatchObject({ code: EXIT.lostOrWrong, stdout: '' });
    const listing = create(DiscoveryListingSchema, {
      version: root.profile.discoveryVersion,
      creation: BigInt(NOW),
      expiration: BigInt(NOW + 2700),
    });
    const directory = create(DiscoveryDirectorySchema, { directory: toBinary(DiscoveryListingSchema, listing) });
    writeFileSync(file, toBinary(DiscoveryDirectorySchema, directory));
    expect(await verify('--at', String(NOW + 1))).toMatchObject({
      code: EXIT.lostOrWrong,
      stdout: expect.stringMatching(/^Not to be believed: quorumMissing, /),
    });
    const json = await verify('--json');
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, code: 'quorumMissing' });
  });

  test('a file that is not there, and a trust root that is none', async () => {
    // It asks nobody, so it takes no node.
    expect(await verify('--node', '127.0.0.1:1')).toMatchObject({ code: EXIT.usage });
    expect(await run(['verify', `${file}.absent`, '--trust-root', trustRoot])).toMatchObject({
      code: EXIT.unreachable,
    });
    expect(await run(['verify', file, '--trust-root', file])).toMatchObject({ code: EXIT.usage });
    expect(await run(['publish', '--trust-root', trustRoot, '--node', '127.0.0.1:1'])).toMatchObject({
      code: EXIT.usage,
      stderr: expect.stringContaining('--keys and --address'),
    });
  });
});

describe('help', () => {
  const silent = { write: () => true };
  const context = { dataFolder: '', version: '', env: {}, stdout: silent, stderr: silent, exit: () => {} };
  const program = makeProgram(context, addAllCommands);
  const commands = program.commands.flatMap((command) =>
    command.commands.length === 0
      ? [[command.name()]]
      : command.commands.map((child) => [command.name(), child.name()]),
  );

  test.each(commands)(
    '%s %s has a description and examples; with --json where there is something to print',
    async (...words) => {
      const { code, stdout } = await run([...words.filter((word) => word !== undefined), '--help']);
      expect(code).toBe(0);
      expect(stdout).toContain('Examples:');
      if (!['start', 'completion'].includes(words[0]!)) expect(stdout).toContain('--json');
    },
  );

  test('the list of commands', async () => {
    expectGolden('help', (await run(['--help'])).stdout);
  });

  test('the README names every command', () => {
    const readme = readFileSync(join(__dirname, '../README.md'), 'utf8');
    expect(commands.map((words) => words.join(' ')).filter((words) => !readme.includes(`\`${words}`))).toEqual([]);
  });
});

describe('completion', () => {
  test.each(SHELLS)('for %s names commands and flags', async (shell) => {
    const { code, stdout } = await run(['completion', shell]);
    expect(code).toBe(0);
    for (const word of ['members', 'promote', 'manual-clock']) expect(stdout).toContain(word);
  });

  test('bash takes the script, and completes', async () => {
    const file = join(newFolder(), 'completion.bash');
    writeFileSync(file, (await run(['completion', 'bash'])).stdout);
    const complete = (...words: string[]): string[] =>
      execFileSync('bash', [
        '-c',
        `source "$1"; shift; COMP_WORDS=(discovery-node "$@"); COMP_CWORD=$#; _discovery_node; printf '%s\\n' "\${COMPREPLY[@]}"`,
        'bash',
        file,
        ...words,
      ])
        .toString()
        .trim()
        .split('\n');
    expect(complete('st')).toEqual(expect.arrayContaining(['start', 'status', 'stop']));
    expect(complete('members', 'p')).toEqual(['promote']);
    expect(complete('start', '--man')).toEqual(['--manual-clock']);
    expect(complete('members', 'add', '--v')).toEqual(['--voter']);
  });

  test('another shell is refused', async () => {
    expect(await run(['completion', 'tcsh'])).toMatchObject({ code: EXIT.usage });
  });
});

describe('tables', () => {
  test('columns are aligned, and headings bold where colours are wanted', () => {
    expect(
      formatTable(
        ['a', 'number'],
        [
          ['long', '5'],
          ['b', '123456789'],
        ],
        { rightAligned: [1] },
      ),
    ).toBe('a        number\nlong          5\nb     123456789\n');
    expect(formatTable(['a'], [], { colours: true })).toBe('\x1b[1ma\x1b[0m\n');
  });

  test('spans, bytes, identities', () => {
    expect([0, 119, 120, 7199, 7200, 8000, 200_000].map(formatSpan)).toEqual([
      '0 s',
      '119 s',
      '2 min',
      '119 min',
      '2 h',
      '2 h 13 min',
      '2 d 7 h',
    ]);
    expect([0, 1023, 1024, 10_240, 5e9].map(formatBytes)).toEqual(['0 B', '1023 B', '1.0 KiB', '10 KiB', '4.7 GiB']);
    expect(shortIdentity('short')).toBe('short');
    expect(shortIdentity(ADA)).toHaveLength(33);
  });
});
