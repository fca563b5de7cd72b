import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PendingProposals } from '../../src/runtime/pending-proposals.js';

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

test('what was answered is not held, neither who asked nor what was answered', async () => {
  const pending = new PendingProposals<object>();
  const answers: WeakRef<object>[] = [];
  const waiters: WeakRef<object>[] = [];
  for (let batch = 0; batch < 10; batch++) {
    const asking = Array.from({ length: 10 }, () => {
      const waiter = {
        answer: null as unknown,
        resolve: (applied: unknown) => void (waiter.answer = applied),
        reject() {},
      };
      waiters.push(new WeakRef(waiter));
      return waiter;
    });
    pending.add(batch * 10 + 1, 1, 1, asking);
  }
  for (let index = 1; index <= 95; index++) {
    const answer = { index };
    answers.push(new WeakRef(answer));
    pending.settle(index, 1, answer);
  }
  // A reference keeps its object for as long as the turn lasts in which it was made.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  expect(pending.size).toBe(5);
  // The batch of which some still wait is there as a whole.
  expect(answers.filter((answer) => answer.deref() !== undefined).length).toBeLessThanOrEqual(5);
  expect(waiters.filter((waiter) => waiter.deref() !== undefined).length).toBeLessThanOrEqual(10);
});
