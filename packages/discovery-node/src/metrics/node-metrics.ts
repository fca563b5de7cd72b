import { RAFT_METRICS, RAFT_PEER_METRICS, type RaftMetrics } from '@discovery-raft/raft-core';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { DiscoveryNode } from '../node/discovery-node.js';
import { formatHistograms, snake } from './format-histograms.js';

/** What is measured beside the node itself. */
export interface MetricsHost {
  readonly node: DiscoveryNode;
  /** Peers of the configuration, and whether their links stand. */
  links(): readonly { readonly peer: string; readonly state: string }[];
  /** Numbers of the link layer, by name. */
  linkCounters(): Readonly<Record<string, number>>;
  /** Numbers of the store, by name. */
  storeStats(): Readonly<Record<string, number>>;
  readonly httpWaiting?: () => number;
}

type Labels = Readonly<Record<string, string>>;
type Values = readonly (readonly [Labels, number])[];

/**
 * Everything that is measured, in the text format of Prometheus. Values are read when they are asked for; nothing is counted
 * twice and nothing is kept here.
 *
 * @returns gives the text of the moment
 */
export function nodeMetrics(
  host: MetricsHost,
  options: { readonly processMetrics?: boolean } = {},
): () => Promise<string> {
  const registry = new Registry();
  const add = adder(registry);
  raftMetrics(host, add);
  consensusMetrics(host, add);
  linkMetrics(host, add);
  if (options.processMetrics === true) collectDefaultMetrics({ register: registry });
  return async () => (await registry.metrics()) + formatHistograms(host.node.raft.histograms());
}

type Add = (
  kind: 'counter' | 'gauge',
  name: string,
  help: string,
  labels: readonly string[],
  read: () => Values | Promise<Values>,
) => void;

function adder(registry: Registry): Add {
  return (kind, name, help, labelNames, read) => {
    const configuration = { name: `discovery_${name}`, help, labelNames: [...labelNames], registers: [registry] };
    if (kind === 'gauge') {
      const gauge: Gauge = new Gauge({
        ...configuration,
        async collect() {
          gauge.reset();
          for (const [labels, value] of await read()) gauge.set(labels, value);
        },
      });
    } else {
      const counter: Counter = new Counter({
        ...configuration,
        async collect() {
          // The count is kept elsewhere, and only shown here.
          counter.reset();
          for (const [labels, value] of await read()) counter.inc(labels, value);
        },
      });
    }
  };
}

function raftMetrics({ node: { raft } }: MetricsHost, add: Add): void {
  for (const [name, { kind, help }] of Object.entries(RAFT_METRICS)) {
    add(kind, `raft_${snake(name)}${kind === 'counter' ? '_total' : ''}`, help, [], () => [
      [{}, raft.metrics()[name as keyof RaftMetrics]],
    ]);
  }
  for (const [name, { help }] of Object.entries(RAFT_PEER_METRICS)) {
    add('gauge', `raft_peer_${snake(name)}`, `on the leader: ${help}`, ['peer'], () =>
      Object.entries(raft.peerMetrics()).map(([peer, metrics]) => [
        { peer },
        metrics[name as keyof typeof RAFT_PEER_METRICS],
      ]),
    );
  }
}

function consensusMetrics({ node }: MetricsHost, add: Add): void {
  const { consensus, list } = node;
  const counts = (of: Readonly<Record<string, number>>, label: string): Values =>
    Object.entries(of).map(([name, value]) => [{ [label]: name }, value]);
  add('counter', 'publishes_total', 'publishes by what became of them', ['code'], () =>
    counts(consensus.counters.publishes, 'code'),
  );
  add('counter', 'refused_messages_total', 'messages of members that were not heeded', ['code'], () =>
    counts(consensus.counters.refusals, 'code'),
  );
  add('counter', 'alarms_total', 'what a person should look at', ['code'], () =>
    counts({ ...consensus.counters.alarms, raftPacketsRefused: node.packetAlarms }, 'code'),
  );
  add('counter', 'dropped_raft_packets_total', 'Raft packets of peers that were dropped', ['reason'], () =>
    counts(node.droppedPackets, 'reason'),
  );
  const signed =
    'Raft packets of peers that were taken: with a good signature, by a certificate outside its dates, with none';
  add('counter', 'taken_raft_packets_total', signed, ['peer', 'signature'], () =>
    [...node.packetSignatures].flatMap(([peer, of]) =>
      Object.entries(of).map(([signature, value]) => [{ peer, signature }, value] as const),
    ),
  );
  for (const name of ['roundsEntered', 'directoriesPublished', 'sent', 'sendFailures'] as const) {
    add('counter', `consensus_${snake(name)}_total`, CONSENSUS_HELP[name], [], () => [[{}, consensus.counters[name]]]);
  }
  add('counter', 'votes_total', 'votes of this node', ['verdict'], () => {
    const { votesYes, votesNo, votesNotReady } = consensus.counters;
    return counts({ yes: votesYes, no: votesNo, notReady: votesNotReady }, 'verdict');
  });
  for (const name of ['pendingForwards', 'pendingForwardBytes', 'pendingRecords', 'pendingVerifications'] as const) {
    add('gauge', `consensus_${snake(name)}`, CONSENSUS_HELP[name], [], () => [[{}, consensus.counters[name]]]);
  }
  add('gauge', 'list_records', 'live records of the shared list', [], () => [[{}, list.size]]);
  add('gauge', 'list_live_bytes', 'their bytes', [], () => [[{}, list.liveBytes]]);
  add(
    'gauge',
    'state_log_index',
    'log index of the last freeze marker; the digest there is the same on every node',
    ['digest'],
    () => {
      const { lastState } = consensus;
      return lastState === null ? [] : [[{ digest: Buffer.from(lastState.digest).toString('hex') }, lastState.index]];
    },
  );
  add('gauge', 'consensus_state', '1 for the state that it is in', ['state'], () => [[{ state: consensus.state }, 1]]);
  add('gauge', 'directory_round', 'slot of the served directory; 0 for an interim one', [], async () => {
    const served = await node.directory();
    return served === null ? [] : [[{}, served.round]];
  });
  add('gauge', 'directory_items', 'items of the served directory', [], async () => {
    const served = await node.directory();
    return served === null ? [] : [[{}, served.items]];
  });
  add('gauge', 'directory_signatures', 'its signatures', [], async () => {
    const served = await node.directory();
    return served === null ? [] : [[{}, served.directory.signatures.length]];
  });
  add('gauge', 'directory_expires_seconds', 'Unix time at which it ends', [], async () => {
    const served = await node.directory();
    return served === null ? [] : [[{}, served.expiration]];
  });
}

function linkMetrics(host: MetricsHost, add: Add): void {
  const { node } = host;
  add('counter', 'message_bytes_total', 'bytes of application messages', ['direction'], () => [
    [{ direction: 'sent' }, node.traffic.bytesSent],
    [{ direction: 'received' }, node.traffic.bytesReceived],
  ]);
  add('counter', 'messages_total', 'application messages', ['direction'], () => [
    [{ direction: 'sent' }, node.traffic.messagesSent],
    [{ direction: 'received' }, node.traffic.messagesReceived],
  ]);
  add('counter', 'malformed_total', 'channels that were closed for what they carried', [], () => [
    [{}, node.traffic.malformed],
  ]);
  add('gauge', 'link_up', '1 for a peer whose link stands', ['peer'], () =>
    host.links().map(({ peer, state }) => [{ peer }, state === 'up' ? 1 : 0]),
  );
  add('counter', 'link_events_total', 'what the link layer counted', ['event'], () =>
    Object.entries(host.linkCounters()).map(([event, value]) => [{ event }, value]),
  );
  add('gauge', 'store', 'numbers of the durable store', ['of'], () =>
    Object.entries(host.storeStats()).map(([of, value]) => [{ of }, value]),
  );
  if (host.httpWaiting) {
    const { httpWaiting } = host;
    add('gauge', 'http_waiting', 'clients that wait for the next round', [], () => [[{}, httpWaiting()]]);
  }
}

const CONSENSUS_HELP = {
  roundsEntered: 'rounds that this node took part in',
  directoriesPublished: 'directories that went public here',
  sent: 'messages to members',
  sendFailures: 'those that could not be sent',
  pendingForwards: 'accepted packets on their way into the shared list',
  pendingForwardBytes: 'their bytes',
  pendingRecords: 'records of the shared list that were not looked at yet',
  pendingVerifications: 'verifications under way or waiting',
} as const;
