import type { MembershipChange } from '../../src/core/membership-change.js';
import { resolveConfig, type RaftConfig } from '../../src/core/options.js';
import { EntryType, type Server, type ServerId } from '../../src/index.js';
import { describeMessage, type ScenarioCluster } from './scenario-cluster.js';
import { initialLog, type Message } from './scenario-node.js';

type Command = (cluster: ScenarioCluster, args: readonly string[]) => void;

/** What a script can say. `N` is a node, `A->B` a link, `[...]` may be left out. */
const COMMANDS: Readonly<Record<string, Command>> = {
  /**
   * `add-nodes 3 [voters=1,2,3] [nonvoters=4] [outgoing=1,2,4] [joining] [log=1,1,2] [log3=1] [term=2] [async]`, and
   * `prevote`, `checkquorum`, `lease`, `inflight=`, `max-entries=`, `trailing=` of the node's options.
   */
  'add-nodes': addNodes,
  /** `campaign N`: the clock moves to where N's election timer fires. */
  campaign(cluster, [id]) {
    const node = cluster.node(given(id));
    cluster.now = Math.max(cluster.now, node.core.nextDeadline());
    node.step({ type: 'tick' });
  },
  /** `propose N text...`: one entry for each word. */
  propose(cluster, [id, ...words]) {
    const proposals = words.map((word, i) => ({ id: i + 1, type: EntryType.command, data: Buffer.from(word) }));
    cluster.node(given(id)).step({ type: 'propose', proposals, wallNowMs: 0 });
  },
  /** `read N id [forward] [lease]`: asks for a linearizable read, of the leader if N is another, by lease if there is one. */
  read(cluster, [id, read, ...how]) {
    const mode = how.includes('lease') ? 'lease' : 'quorum';
    const forward = how.includes('forward');
    cluster.node(given(id)).step({ type: 'read', id: Number(given(read)), forward, mode });
  },
  /** `transfer N [M]`: N hands leadership over, to M. */
  transfer(cluster, [id, target]) {
    cluster.node(given(id)).step({ type: 'transfer', id: 1, target: target ?? null });
  },
  /** `add-voter N M`: leader N makes M a voter, once it has caught up. */
  'add-voter'(cluster, [id, who]) {
    change(cluster, id, { kind: 'addVoter', id: given(who), address: `address-of-${who}` });
  },
  /** `add-nonvoter N M` */
  'add-nonvoter'(cluster, [id, who]) {
    change(cluster, id, { kind: 'addNonvoter', id: given(who), address: `address-of-${who}` });
  },
  /** `demote N M` */
  demote(cluster, [id, who]) {
    change(cluster, id, { kind: 'demoteVoter', id: given(who) });
  },
  /** `remove N M` */
  remove(cluster, [id, who]) {
    change(cluster, id, { kind: 'removeServer', id: given(who) });
  },
  /** `replace N 1,2,4`: these are the voters, through a joint configuration. */
  replace(cluster, [id, voters]) {
    const servers = given(voters)
      .split(',')
      .map((voter) => server(voter, 'voter'));
    change(cluster, id, { kind: 'replace', servers });
  },
  /** `tick N ms`: time passes, and only N looks at the clock. */
  tick(cluster, [id, ms]) {
    cluster.now += Number(given(ms));
    cluster.node(given(id)).step({ type: 'tick' });
  },
  /** `pass ms`: time passes for all, and messages arrive at once. */
  pass(cluster, [ms]) {
    cluster.pass(Number(given(ms)));
  },
  /** `stabilize [N...]`: delivers until nothing waits (between these nodes). */
  stabilize(cluster, ids) {
    cluster.deliver(between(ids), true);
  },
  /** `deliver A->B [count]`, or `deliver N [count]` for all that waits for N. */
  deliver(cluster, [where, count]) {
    cluster.deliver(along(given(where)), false, count === undefined ? Infinity : Number(count));
  },
  /** `drop A->B [count]`: messages that wait are lost; nobody is told. */
  drop(cluster, [where, count]) {
    const lost = cluster.take(along(given(where)), count === undefined ? Infinity : Number(count));
    for (const message of lost) cluster.tell(`lost: ${describeMessage(message)}`);
  },
  /** `duplicate A->B`: the oldest message that waits will arrive twice. */
  duplicate(cluster, [where]) {
    const message = cluster.waiting.find(along(given(where)));
    if (message === undefined) throw new Error('nothing waits there');
    cluster.waiting.push(message);
  },
  /** `reverse A->B`: what waits will arrive in the opposite order. */
  reverse(cluster, [where]) {
    const taken = cluster.take(along(given(where)));
    cluster.waiting.push(...taken.reverse());
  },
  /** `fail A->B`: A is told that its requests to B failed. */
  fail(cluster, [where]) {
    const [from, to] = link(given(where));
    cluster.take((message) => message.from === from && message.to === to);
    cluster.tell(`${cluster.node(from).failRequests(to)} requests failed`);
  },
  /** `cut A->B...`, `cut N...` (both ways, from everybody). */
  cut(cluster, where) {
    for (const item of where) for (const name of links(cluster, item)) cluster.cut.add(name);
  },
  /** `heal [A->B...|N...]` */
  heal(cluster, where) {
    if (where.length === 0) cluster.cut.clear();
    for (const item of where) for (const name of links(cluster, item)) cluster.cut.delete(name);
  },
  /** `async N...`: writes wait for `persist`. */
  async(cluster, ids) {
    for (const id of ids) cluster.node(id).asyncWrites = true;
  },
  /** `sync N...`: what waits is written, and later writes complete at once. */
  sync(cluster, ids) {
    for (const id of ids) {
      cluster.node(id).persist();
      cluster.node(id).asyncWrites = false;
    }
  },
  /** `persist N [count]`: the oldest writes complete. */
  persist(cluster, [id, count]) {
    cluster.node(given(id)).persist(count === undefined ? Infinity : Number(count));
  },
  /** `fail-write N` */
  'fail-write'(cluster, [id]) {
    cluster.node(given(id)).failWrite();
  },
  /** `compact N index`: N takes a snapshot and drops the log that it covers (but for `trailing` entries). */
  compact(cluster, [id, index]) {
    cluster.node(given(id)).compact(Number(given(index)));
  },
  /** `restart N [keep=index]`: from the disk, which may have lost what follows `index`. */
  restart(cluster, [id, keep]) {
    const node = cluster.node(given(id));
    const last = keep === undefined ? Infinity : Number(keep.replace('keep=', ''));
    node.stored = node.stored.filter(({ index }) => index <= last);
    cluster.take((message) => message.to === node.id);
    node.start();
  },
  /** `messages`: what waits. */
  messages(cluster) {
    for (const message of cluster.waiting) cluster.tell(describeMessage(message));
  },
  /** `status [N...]` */
  status(cluster, ids) {
    const nodes = ids.length === 0 ? [...cluster.nodes.values()] : ids.map((id) => cluster.node(id));
    for (const node of nodes) for (const line of node.status()) cluster.tell(line);
  },
  /** `raft-log N`: what N's disk holds. */
  'raft-log'(cluster, [id]) {
    for (const line of cluster.node(given(id)).logLines()) cluster.tell(line);
  },
  /** `log-level none|info|debug` */
  'log-level'(cluster, [level]) {
    if (level !== 'none' && level !== 'info' && level !== 'debug') throw new Error(`no level ${level}`);
    cluster.level = level;
  },
};

/** Carries one command out; returns its record. */
export function runCommand(cluster: ScenarioCluster, line: string): readonly string[] {
  const [name, ...args] = line.split(/\s+/);
  const command = COMMANDS[name ?? ''];
  if (command === undefined) throw new Error(`there is no command ${name}`);
  cluster.lines = [];
  command(cluster, args);
  cluster.checkLeaders();
  return cluster.lines;
}

const OPTIONS: Readonly<Record<string, keyof RaftConfig>> = {
  inflight: 'maxInflightAppends',
  'max-entries': 'maxAppendEntries',
  trailing: 'trailingLogs',
  prevote: 'preVote',
  checkquorum: 'checkQuorum',
};

function addNodes(cluster: ScenarioCluster, [count, ...args]: readonly string[]): void {
  const settings = new Map(args.map((arg) => [arg.split('=')[0] ?? '', arg.split('=')[1] ?? '']));
  const config: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(OPTIONS)) {
    const value = settings.get(name);
    if (value !== undefined) config[option] = value === '' ? true : Number(value);
  }
  if (settings.has('lease')) config['readMode'] = 'lease';
  const first = cluster.nodes.size + 1;
  const ids = Array.from({ length: Number(given(count)) }, (_, i) => `${first + i}`);
  const list = (name: string): string[] => (settings.get(name) ?? '').split(',').filter(Boolean);
  const nonvoters = list('nonvoters');
  const voters = settings.has('voters') ? list('voters') : ids.filter((id) => !nonvoters.includes(id));
  const servers = [...voters.map((id) => server(id, 'voter')), ...nonvoters.map((id) => server(id, 'nonvoter'))];
  const outgoing = settings.has('outgoing') ? { outgoing: list('outgoing').map((id) => server(id, 'voter')) } : {};
  const configuration = settings.has('joining') ? { servers: [] } : { servers, ...outgoing };
  for (const id of ids) {
    const log = list(settings.has(`log${id}`) ? `log${id}` : 'log');
    cluster.add({
      id,
      configuration: { index: 0, configuration },
      config: resolveConfig({ preVote: false, checkQuorum: false, trailingLogs: 0, ...config }),
      log: initialLog(log.map(Number)),
      term: Number(settings.get('term') ?? log.at(-1) ?? 0),
      asyncWrites: settings.has('async'),
    });
  }
}

function change(cluster: ScenarioCluster, id: string | undefined, wanted: MembershipChange): void {
  cluster.node(given(id)).step({ type: 'changeMembership', id: 1, change: wanted, prevIndex: 0, wallNowMs: 0 });
}

function server(id: ServerId, suffrage: Server['suffrage']): Server {
  return { suffrage, id, address: `address-of-${id}` };
}

function given(text: string | undefined): string {
  if (text === undefined) throw new Error('an argument is missing');
  return text;
}

function link(text: string): readonly [from: ServerId, to: ServerId] {
  const [from, to] = text.split('->');
  return [given(from), given(to)];
}

function links(cluster: ScenarioCluster, where: string): string[] {
  if (where.includes('->')) return [where];
  return [...cluster.nodes.keys()].flatMap((id) => (id === where ? [] : [`${id}->${where}`, `${where}->${id}`]));
}

function along(where: string): (message: Message) => boolean {
  if (!where.includes('->')) return (message) => message.to === where;
  const [from, to] = link(where);
  return (message) => message.from === from && message.to === to;
}

function between(ids: readonly string[]): (message: Message) => boolean {
  return ({ from, to }) => ids.length === 0 || (ids.includes(from) && ids.includes(to));
}
