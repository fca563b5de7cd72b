import { Progress } from '../../src/core/progress.js';
import { voter } from '../support/core-driver.js';

describe('Progress', () => {
  test('begins by probing at the end of the log', () => {
    expect(new Progress(voter('b'), 8, 100)).toMatchObject({ mode: 'probe', match: 0, next: 8, lastContact: 100 });
  });

  test('counts bytes under way, and forgets them when it probes anew', () => {
    const p = new Progress(voter('b'), 1, 0);
    p.becomeReplicate();
    p.addInflight({ rpcId: 1, firstIndex: 1, lastIndex: 2, bytes: 70 });
    p.addInflight({ rpcId: 2, firstIndex: 3, lastIndex: 3, bytes: 40 });
    p.removeInflight(1);
    p.removeInflight(1);
    p.removeInflight(99);
    expect([p.inflightBytes, p.inflight.map(({ rpcId }) => rpcId)]).toEqual([40, [2]]);
    p.becomeProbe(2);
    expect([p.inflightBytes, p.inflight.length, p.probeRpcId, p.next]).toEqual([0, 0, 0, 2]);
  });

  test('never steps back behind what is known to match', () => {
    const p = new Progress(voter('b'), 9, 0);
    p.match = 5;
    p.becomeProbe(2);
    expect(p.next).toBe(6);
    p.becomeReplicate();
    expect(p).toMatchObject({ mode: 'replicate', next: 6 });
  });

  test('a snapshot takes the place of all that was under way', () => {
    const p = new Progress(voter('b'), 9, 0);
    p.addInflight({ rpcId: 1, firstIndex: 1, lastIndex: 2, bytes: 70 });
    p.reading = true;
    p.becomeSnapshot();
    expect(p).toMatchObject({ mode: 'snapshot', inflightBytes: 0, reading: false, probeRpcId: 0 });
  });
});
