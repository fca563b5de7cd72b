import { RaftError, SimulatedClock } from '../../src/index.js';
import { AppliedWaiters } from '../../src/runtime/applied-waiters.js';

/** A node that has applied up to `applied`, and must apply up to `redactedThrough` before it may show its state. */
function waitersOf(node: { applied: number; redactedThrough: number }): {
  waiters: AppliedWaiters;
  clock: SimulatedClock;
} {
  const clock = new SimulatedClock();
  const waiters = new AppliedWaiters({
    clock,
    appliedIndex: () => node.applied,
    readable: () => node.applied >= node.redactedThrough,
    error: ({ code, message }) => new RaftError(code, message),
  });
  return { waiters, clock };
}

/** Found by the simulator: a follower that lagged said that it had lost leadership. */
describe('a read of a state that may not be shown yet', () => {
  test('waits on when tombstones arrive whose successors are not applied', async () => {
    const node = { applied: 3, redactedThrough: 0 };
    const { waiters } = waitersOf(node);
    const read = waiters.through(5, 1000);
    Object.assign(node, { applied: 5, redactedThrough: 8 });
    waiters.advanced(5);
    const second = waiters.through(4, 1000);
    node.applied = 8;
    waiters.advanced(8);
    await expect(Promise.all([read, second])).resolves.toEqual([5, 4]);
  });

  test('ends at its time limit', async () => {
    const { waiters, clock } = waitersOf({ applied: 5, redactedThrough: 8 });
    const read = waiters.through(5, 1000);
    const refused = expect(read).rejects.toMatchObject({ code: 'RAFT_TIMEOUT' });
    await clock.advance(1001);
    await refused;
  });

  test('without a limit a leader waited, and has lost leadership', async () => {
    const { waiters } = waitersOf({ applied: 5, redactedThrough: 8 });
    await expect(waiters.through(5)).rejects.toMatchObject({ code: 'RAFT_LEADERSHIP_LOST' });
  });
});
