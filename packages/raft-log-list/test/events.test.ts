import { encodeEntry } from '../src/codec/entry-codec.js';
import { attestationBy, packetOf } from './fixtures/text-schema.js';
import { LogHarness } from './fixtures/log-harness.js';

const packet = packetOf('a', 10);

describe('events', () => {
  it('tell what happened, in log order, when the list has settled', () => {
    const log = new LogHarness();
    const told: unknown[] = [];
    log.list.on('inserted', ({ record, replaced }) => {
      told.push([
        'inserted',
        record.index,
        replaced.map(({ index }) => index),
        log.list.get('a').length,
        log.list.appliedIndex,
      ]);
    });
    log.list.on('deleted', ({ record, index }) => told.push(['deleted', record.index, index, log.list.size]));
    log.list.on('frozen', ({ round, index, view }) => told.push(['frozen', round, index, view.size]));
    log.list.on('ignored', (event) => told.push(['ignored', event.index, event.reason]));
    log.append(encodeEntry({ packet }));
    log.append(encodeEntry({ packet, attestations: [attestationBy('x')], deleteIndex: 1, origin: 1 }));
    log.append(encodeEntry({ round: 9 }));
    log.append(encodeEntry({ deleteIndex: 2, origin: 1 }));
    log.append(new Uint8Array(0));
    expect(told).toEqual([
      ['inserted', 1, [], 1, 1],
      ['inserted', 2, [1], 1, 2],
      ['frozen', 9, 3, 1],
      ['deleted', 2, 4, 0],
      ['ignored', 5, 'empty'],
    ]);
    expect(log.list.stats).toMatchObject({ inserted: 2, replaced: 1, deleted: 1, frozen: 1, redacted: 2 });
  });

  it('go on when a listener throws, and stop for a listener that was taken off', () => {
    const errors: unknown[] = [];
    const logger = { debug() {}, info() {}, warn() {}, error: (message: string) => void errors.push(message) };
    const log = new LogHarness({ logger });
    let told = 0;
    log.list.on('inserted', () => {
      throw new Error('a listener of bad manners');
    });
    const off = log.list.on('inserted', () => void told++);
    log.append(encodeEntry({ packet }));
    off();
    log.append(encodeEntry({ packet }));
    expect(told).toBe(1);
    expect(errors).toHaveLength(2);
    expect(log.list.size).toBe(2);
  });
});
