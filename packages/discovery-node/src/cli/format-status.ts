import type { StatusReport } from '../admin/protocol.js';
import { count, formatBytes, formatFacts, formatSpan, formatTable, formatTime, shortIdentity } from './table.js';

/** A status for people. */
export function formatStatus(report: StatusReport): string {
  const peers = report.links.map(({ peer, address, state }) => [
    shortIdentity(peer),
    address,
    state,
    packetsOf(report, peer),
  ]);
  const links = peers.length === 0 ? '' : `\n${formatTable(['peer', 'address', 'link', 'raft packets'], peers)}`;
  return formatFacts([...whoIs(report), ...whatItDoes(report), ...signaturesHint(report)]) + links;
}

type Facts = readonly (readonly [string, string])[];

function whoIs({ identity, process: own }: StatusReport): Facts {
  const readiness = own.ready ? 'yes' : `no: ${own.notReadyBecause.join('; ')}`;
  return [
    ['node', own.name ?? shortIdentity(identity)],
    ['identity', identity],
    ['fingerprint', own.fingerprint],
    [
      'process',
      `${own.pid}, up ${formatSpan(own.uptimeSeconds)}, ${formatBytes(own.rssBytes)}, version ${own.version}`,
    ],
    ['listens', `${own.listen.host}:${own.listen.port}`],
    ['http', own.http === null ? 'off' : `http://${own.http.host}:${own.http.port}`],
    ['ready', readiness],
  ];
}

function whatItDoes(report: StatusReport): Facts {
  const { raft, consensus, list, directory, rounds, now } = report;
  const leader = raft.leaderId === report.identity ? 'this node' : shortIdentity(raft.leaderId ?? 'none');
  const behind = raft.commitIndex - raft.appliedIndex;
  return [
    ['raft', `${raft.state}, term ${raft.term}, leader ${leader}`],
    ['log', `committed ${raft.commitIndex} of ${raft.lastIndex}${behind > 0 ? `, ${behind} not applied yet` : ''}`],
    ['store', formatBytes(report.storeBytes)],
    ['consensus', consensus.state],
    ['trust root', trustRoot(report)],
    ['list', `${list.listable} listable, ${list.pending} lack attestations, ${formatBytes(list.liveBytes)}`],
    ['state', report.state === null ? 'not compared yet' : describeState(report.state)],
    ['round', `slot ${rounds.slot}, the next in ${formatSpan(rounds.nextAt - now)}${lastRound(report)}`],
    ['directory', directory === null ? 'none of a round' : describeDirectory(directory, consensus.quorum, now)],
    ['tolerates', tolerance(report)],
  ];
}

/** Who could do with less trust is told, once every peer has shown that it signs. */
function signaturesHint({ raft, peers }: StatusReport): Facts {
  const allSign = peers.length > 0 && peers.every(({ packetSignature }) => packetSignature === 'good');
  if (raft.signatures !== 'prefer' || !allSign) return [];
  return [['signatures', 'every peer signs its Raft packets: set raft.signatures to require, on all nodes']];
}

/** What the last Raft packet of a peer says of its signatures. */
function packetsOf({ raft, peers }: StatusReport, peer: string): string {
  if (raft.signatures === 'off') return 'not looked at';
  const verdict = peers.find(({ identity }) => identity === peer)?.packetSignature ?? null;
  if (verdict === null) return 'none yet';
  if (verdict === 'good') return 'signed';
  if (verdict === 'outsideDates') return 'signed, by a certificate outside its dates';
  return verdict === 'none' ? 'not signed' : `REFUSED: ${verdict}`;
}

function trustRoot({ roots: { inForce, newest, newestActivation }, now }: StatusReport): string {
  if (newest === inForce) return `version ${inForce}`;
  return `version ${inForce}; ${newest} comes into force in ${formatSpan(newestActivation - now)}`;
}

function describeState({ digest, index }: NonNullable<StatusReport['state']>): string {
  return `${digest.slice(0, 16)}… at log index ${index}; the same on every node`;
}

function lastRound({ rounds: { last } }: StatusReport): string {
  if (last === null) return '';
  return last.published ? `; ${last.round} gave a directory` : `; ${last.round} gave none: ${last.reason}`;
}

function describeDirectory(directory: NonNullable<StatusReport['directory']>, quorum: number, now: number): string {
  const { round, items, signatures, expiration } = directory;
  const enough = signatures >= quorum ? '' : ', NO QUORUM';
  const end = expiration > now ? `until ${formatTime(expiration)}` : 'EXPIRED';
  return `round ${round}, ${count(items, 'item')}, ${count(signatures, 'signature')} (${quorum} needed)${enough}, ${end}`;
}

/** What a cluster of this size stands. Directories need more nodes than the list; three nodes stand no liar. */
function tolerance({ roots: { nodes }, consensus: { quorum } }: StatusReport): string {
  const down = nodes - quorum;
  const liars = Math.max(0, Math.min(down, 2 * quorum - nodes - 1));
  const list = Math.floor((nodes - 1) / 2);
  const alone = list === down ? '' : ` (the list alone: ${list})`;
  return `${count(down, 'node')} down${alone}, ${count(liars, 'lying node')}, of ${nodes}`;
}
