import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { signItem } from '@discovery-raft/discovery-client';
import { createTrustRoot, openSignedMessageAsync, CertificateVerifier } from '@discovery-raft/psp-pki';
import { silentLogger } from '@discovery-raft/raft-core';
import { loadConfig } from '../src/config/load.js';
import { isMarkedForBootstrap, markForBootstrap } from '../src/daemon/bootstrap-mark.js';
import { judgeDeployment, readDeployment, expiryWarnings } from '../src/daemon/deployment.js';
import { foundCluster } from '../src/daemon/found-cluster.js';
import { initNetwork, initNode, type MadeNetwork } from '../src/index.js';
import { formatPath } from '../src/config/problem.js';
import { readAuthorities } from '../src/keys/authority-folder.js';
import { readKeys, rotateKeys } from '../src/keys/key-folder.js';
import { createPublisherFile, readPublisherFile } from '../src/keys/publisher-file.js';
import { readTrustRoot } from '../src/keys/trust-root-file.js';
import { newFolder, removeFolders } from './fixtures/folder.js';

const NOW = Math.floor(Date.now() / 1000);
const DATES = { notBefore: NOW - 3600, notAfter: NOW + 90 * 86_400 };
const QUICK = { ...DATES, rsaBits: 2048 };
let made: MadeNetwork;

beforeAll(async () => {
  made = await initNetwork({ ...QUICK, folder: join(newFolder(), 'net'), nodes: 2, slotSeconds: 60 });
});
afterAll(removeFolders);

/** Every file and folder below, with its mode. */
function modesBelow(folder: string): Record<string, string> {
  const modes: Record<string, string> = {};
  for (const name of readdirSync(folder, { recursive: true }) as string[]) {
    modes[name] = (statSync(join(folder, name)).mode & 0o777).toString(8);
  }
  return modes;
}

describe('a whole network', () => {
  test('private files are 0600, folders 0700; only trust roots and configurations are for all', () => {
    expect(modesBelow(made.folder)).toEqual({
      authorities: '700',
      'authorities/authority-1.pem': '600',
      'authorities/authority-2.pem': '600',
      'authorities/authority-3.pem': '600',
      'trust-root.json': '644',
      ...Object.fromEntries(
        ['node-1', 'node-2'].flatMap((node) => [
          [node, '700'],
          [`${node}/keys`, '700'],
          [`${node}/keys/master.pem`, '600'],
          [`${node}/keys/signing.pem`, '600'],
          [`${node}/keys/link.pem`, '600'],
          [`${node}/data`, '700'],
          [`${node}/data/found-cluster`, '600'],
          [`${node}/trust-root.json`, '644'],
          [`${node}/node.yaml`, '644'],
        ]),
      ),
    });
  });

  test('each configuration is good together with its keys and the trust root, and knows the others', async () => {
    for (const node of made.nodes) {
      const deployment = await readDeployment(await loadConfig({ file: node.configFile }));
      expect(deployment.keys.identity.identity).toBe(node.identity);
      expect(deployment.keys.fingerprint).toBe(node.fingerprint);
      expect(deployment.root).toEqual(made.root);
      expect(deployment.loaded.config).toMatchObject({
        name: node.name,
        consensus: { slotSeconds: 60 },
        raft: { signatures: 'require' },
      });
      expect(deployment.loaded.config.members.map(({ identity }) => identity)).toEqual(
        made.nodes.map(({ identity }) => identity),
      );
      expect(expiryWarnings(deployment, NOW)).toEqual([]);
      expect(expiryWarnings(deployment, DATES.notAfter - 86_400)).toHaveLength(2);
      expect(expiryWarnings(deployment, DATES.notAfter + 1)[0]).toContain('expired');
    }
  });

  test('settings that are given go before those of a new network, and leave the rest of their section', async () => {
    const settings = { raft: { signatures: 'off' }, log: { level: 'warn' } };
    const net = await initNetwork({ ...QUICK, folder: join(newFolder(), 'net'), nodes: 1, settings });
    const { config } = await loadConfig({ file: net.nodes[0]!.configFile });
    expect(config).toMatchObject({ raft: { signatures: 'off' }, log: { level: 'warn' } });
    const timed = { raft: { heartbeatTimeoutMs: 900 } };
    const slow = await initNode({ ...QUICK, folder: newFolder(), host: 'd.example', port: 9100, settings: timed });
    expect((await loadConfig({ file: slow.configFile })).config.raft).toEqual({
      signatures: 'require',
      heartbeatTimeoutMs: 900,
    });
  });

  test('ports differ, also from those of HTTP', () => {
    const ports = made.nodes.flatMap(({ port, httpPort }) => [port, httpPort]);
    expect(new Set(ports).size).toBe(4);
  });

  test('nothing is overwritten: not the network, and not a single file of it', async () => {
    const before = readFileSync(join(made.nodes[0]!.folder, 'keys/master.pem'));
    await expect(initNetwork({ ...QUICK, folder: made.folder, nodes: 2 })).rejects.toMatchObject({
      code: 'NODE_EXISTS',
    });
    for (const left of ['authorities', 'trust-root.json', 'node-2']) {
      const folder = newFolder();
      writeFileSync(join(folder, left), 'mine');
      await expect(initNetwork({ ...QUICK, folder, nodes: 2 })).rejects.toMatchObject({ code: 'NODE_EXISTS' });
      expect(readdirSync(folder)).toEqual([left]);
      expect(readFileSync(join(folder, left), 'utf8')).toBe('mine');
    }
    expect(readFileSync(join(made.nodes[0]!.folder, 'keys/master.pem'))).toEqual(before);
  });

  test('its authorities vouch for a publisher, whose packets a node believes', async () => {
    const authorities = await readAuthorities(made.authorityFolder);
    const file = join(newFolder(), 'relay.pem');
    const { profile } = made.root;
    const publisher = await createPublisherFile(file, { ...DATES, profile, authorities, role: 'onion' });
    const again = await readPublisherFile(file);
    expect(again.identity).toBe(publisher.identity);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const item = { fingerprint: 'AB'.repeat(32), handshake: 'CD'.repeat(32), address: ['192.0.2.1:1'] };
    const packet = signItem(again, { ...item, expiration: NOW + 100 }, profile);
    const root = await readTrustRoot(made.trustRootFile);
    expect(await openSignedMessageAsync(packet, new CertificateVerifier({ root }), NOW)).toMatchObject({ ok: true });
    const stranger = createTrustRoot({ profile, discoveryNodes: root.discoveryNodes });
    const verifier = new CertificateVerifier({ root: stranger });
    expect(await openSignedMessageAsync(packet, verifier, NOW)).toMatchObject({ ok: false });
  });
});

describe('one node', () => {
  test('its configuration names itself; with --join it never founds a cluster', async () => {
    const alone = await initNode({ ...QUICK, folder: newFolder(), host: 'd1.example', port: 9100, name: 'one' });
    const { config } = await loadConfig({ file: alone.configFile });
    expect(config).toMatchObject({
      name: 'one',
      listen: { host: '0.0.0.0', port: 9100 },
      members: [{ identity: alone.identity, fingerprint: alone.fingerprint, host: 'd1.example', port: 9100 }],
      raft: { signatures: 'require' },
    });
    expect(await isMarkedForBootstrap(join(alone.folder, 'data'))).toBe(true);
    const joining = await initNode({ ...QUICK, folder: newFolder(), host: 'd2.example', port: 9100, join: true });
    expect(await isMarkedForBootstrap(join(joining.folder, 'data'))).toBe(false);
    // Who is in the network already may be of a time without signatures.
    const { config: joined } = await loadConfig({ file: joining.configFile });
    expect(joined.raft.signatures).toBe('prefer');
    await expect(initNode({ ...QUICK, folder: joining.folder, host: 'd2.example', port: 9100 })).rejects.toMatchObject({
      code: 'NODE_EXISTS',
    });
  });
});

describe('keys', () => {
  test('rotation renews all but the identity and its fingerprint', async () => {
    const folder = join(made.nodes[0]!.folder, 'keys');
    const before = await readKeys(folder);
    const later = { notBefore: NOW, notAfter: NOW + 1000 };
    await rotateKeys(folder, { ...later, rsaBits: 2048 });
    const after = await readKeys(folder);
    expect(after.identity.identity).toBe(before.identity.identity);
    expect(after.fingerprint).toBe(before.fingerprint);
    expect(after.identity.certificate).toMatchObject(later);
    expect(after.identity.key.publicKey).not.toEqual(before.identity.key.publicKey);
    expect(after.link.linkCertificate).not.toEqual(before.link.linkCertificate);
    expect(after.link.linkKey.equals(before.link.linkKey)).toBe(false);
    expect(modesBelow(folder)).toEqual({ 'link.pem': '600', 'master.pem': '600', 'signing.pem': '600' });
    expect(await judgeDeployment(await loadConfig({ file: made.nodes[0]!.configFile }))).toMatchObject({
      problems: [],
    });
  });

  test('of another identity, damaged, missing or readable by others: refused, and no key material in the message', async () => {
    const folder = join(made.nodes[1]!.folder, 'keys');
    const stranger = join(made.nodes[0]!.folder, 'keys');
    const file = join(folder, 'signing.pem');
    const good = readFileSync(file, 'utf8');
    const secret = /-----BEGIN PRIVATE KEY-----\n([^\n]+)/.exec(good)![1]!;
    const refused = async (content: string): Promise<string> => {
      writeFileSync(file, content);
      const error = await readKeys(folder).then(
        () => new Error('it was taken'),
        (caught: Error) => caught,
      );
      expect(error).toMatchObject({ code: 'NODE_KEYS_UNREADABLE' });
      expect(String(error) + String(error.cause)).not.toContain(secret.slice(8, 40));
      return error.message;
    };
    expect(await refused('')).toContain('has no block');
    expect(await refused(good.replace(secret, secret.slice(0, 40)))).toContain('no Ed25519 private key');
    expect(await refused(good.replace(/CERTIFICATE-----\n..../, 'CERTIFICATE-----\nAAAA'))).toContain('damaged');
    const [mine] = good.split('-----BEGIN PRIVATE');
    const theirs = readFileSync(join(stranger, 'signing.pem'), 'utf8').split('-----BEGIN PRIVATE')[1]!;
    expect(await refused(`${mine}-----BEGIN PRIVATE${theirs}`)).toContain('not that of the certificate');
    writeFileSync(file, good);
    chmodSync(file, 0o640);
    await expect(readKeys(folder)).rejects.toThrow(`chmod 600 '${file}'`);
    chmodSync(file, 0o600);
    await readKeys(folder);
    const master = join(folder, 'master.pem');
    const own = readFileSync(master);
    writeFileSync(master, readFileSync(join(stranger, 'master.pem')));
    await expect(rotateKeys(folder, QUICK)).rejects.toThrow('is the key of another identity');
    writeFileSync(master, own);
  });
});

describe('a configuration with the files that it names', () => {
  async function problemsOf(change: (text: string) => string, files: (folder: string) => void = () => {}) {
    const folder = newFolder();
    cpSync(made.nodes[0]!.folder, folder, { recursive: true });
    const file = join(folder, 'node.yaml');
    writeFileSync(file, change(readFileSync(file, 'utf8')));
    files(folder);
    const { problems } = await judgeDeployment(await loadConfig({ file }));
    return problems.map(({ path, message, advice }) => `${formatPath(path)} ${message} ${advice}`);
  }

  test('files that are missing, and a socket path that no system takes', async () => {
    const problems = await problemsOf(
      (text) => `${text}admin:\n  socket: ${'x'.repeat(120)}\n`,
      (folder) => {
        rmSync(join(folder, 'keys'), { recursive: true });
        rmSync(join(folder, 'trust-root.json'));
      },
    );
    expect(problems).toEqual([
      expect.stringContaining('keys.directory cannot be used'),
      expect.stringContaining('trustRoot cannot be used'),
      expect.stringContaining('admin.socket is longer than 103 bytes'),
    ]);
  });

  test('a fingerprint that is not that of the keys; members that the trust root does not name', async () => {
    let own = '';
    const problems = await problemsOf(
      (text) => {
        own = /fingerprint: ([0-9A-F]+)/.exec(text)![1]!;
        return text.replace(own, 'AB'.repeat(32));
      },
      (folder) => {
        const file = join(folder, 'trust-root.json');
        const root = JSON.parse(readFileSync(file, 'utf8')) as object;
        writeFileSync(file, JSON.stringify({ ...root, discoveryNodes: [made.nodes[0]!.identity] }));
      },
    );
    expect(problems).toEqual([
      `members[0].fingerprint is not that of this node's keys Write ${own}, on every node.`,
      expect.stringContaining('members[1].identity is no discovery node of the trust root'),
    ]);
  });
});

describe('founding a cluster', () => {
  async function found(options: {
    members?: number;
    standalone?: boolean;
    hadState?: boolean;
    anyway?: boolean;
    mark?: boolean;
  }) {
    const { members = 3, standalone = false, hadState = false, anyway = false, mark = true } = options;
    const { config } = await loadConfig({ file: made.nodes[0]!.configFile });
    const dataFolder = newFolder();
    if (mark) await markForBootstrap(dataFolder);
    const bootstrap = jest.fn(() => Promise.resolve());
    const all = Array.from({ length: members }, () => config.members[0]!);
    const consensus = { ...config.consensus, standalone };
    await foundCluster({
      node: { bootstrap },
      config: { members: all, consensus },
      dataFolder,
      hadState,
      anyway,
      logger: silentLogger,
    });
    return { founded: bootstrap.mock.calls.length, marked: await isMarkedForBootstrap(dataFolder) };
  }

  test.each([
    ['the first start after init', {}, { founded: 1, marked: false }],
    ['a crash before the mark was taken away', { hadState: true }, { founded: 0, marked: false }],
    ['without a mark it waits to be added', { mark: false }, { founded: 0, marked: false }],
    ['without a mark, but told to', { mark: false, anyway: true }, { founded: 1, marked: false }],
    ['told to, but it belongs to one', { hadState: true, anyway: true }, { founded: 0, marked: false }],
    ['alone by mistake: the mark stays', { members: 1 }, { founded: 0, marked: true }],
    ['alone by configuration', { members: 1, standalone: true }, { founded: 1, marked: false }],
  ])('%s', async (_name, options, expected) => {
    expect(await found(options)).toEqual(expected);
  });
});
