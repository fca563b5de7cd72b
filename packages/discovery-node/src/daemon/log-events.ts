import type { Logger } from '@discovery-raft/raft-core';
import type { DiscoveryNode } from '../node/discovery-node.js';

/** Tells in the log what an operator wants to know of a node: leaders, rounds, and above all alarms. */
export function logEvents({ raft, consensus }: DiscoveryNode, logger: Logger): void {
  raft.on('leaderChange', ({ leaderId, term }) => {
    logger.info(leaderId === null ? 'no leader is known' : 'a leader is known', { leader: leaderId, term });
  });
  consensus.on('roundEnded', ({ round, published, signatures, items, reason }) => {
    if (published) logger.info('a round ended with a directory', { round, items, signatures });
    else logger.warn('a round ended without a directory', { round, reason });
  });
  consensus.on('leaderRefused', ({ leaderId, term, reason }) =>
    logger.warn('the leader is not followed: no votes, no forwards', { leader: leaderId, term, reason }),
  );
  consensus.on('clockSet', ({ bySeconds }) => logger.warn('the clock of this machine was set', { bySeconds }));
  consensus.on('alarmRaised', ({ code, detail }) =>
    logger.error('ALARM: somebody should look at this', { code, detail }),
  );
  consensus.on('stateChanged', ({ from, to }) => logger.debug('the consensus is in another state', { from, to }));
  consensus.on('publishRefused', (refusal) => logger.debug('a publish was refused', { ...refusal }));
  consensus.on('messageRefused', (refusal) => logger.debug('a message was not heeded', { ...refusal }));
}
