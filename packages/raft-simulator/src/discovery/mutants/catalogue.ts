import type { Mutant } from '../../mutants/mutant.js';

/** Bugs of discovery-consensus-fsm that break one rule each; the simulator has to report every one of them. */
export const DISCOVERY_MUTANTS: readonly Mutant[] = [
  {
    name: 'vote-without-durable-promise',
    rule: '§3: a node records that it signs before it signs, and remembers it after a crash',
    edits: [{ file: 'runtime/signing-ledger', find: 'await store.recordSigned(this.#last);', replace: '' }],
  },
  {
    name: 'second-listing-in-a-round',
    rule: '§3: a node signs at most one listing per round',
    edits: [
      {
        file: 'runtime/signing-ledger',
        find: 'if (last?.round === round && !sameBytes(last.digest, listing.digest))',
        replace: 'if (last?.round === -1)',
      },
    ],
  },
  {
    name: 'no-digest-comparison',
    rule: '§3: a voter compares its digest with the leader’s',
    edits: [{ file: 'policy/judgement', find: 'if (!facts.digestMatches)', replace: 'if (facts.entries < 0)' }],
  },
  {
    name: 'quorum-one-less',
    rule: '§3: floor((n + f) / 2) + 1 signatures',
    edits: [
      {
        file: 'policy/thresholds',
        find: "return directoryQuorum(nodes, policy.quorum === 'half' ? 'documented' : 'safe');",
        replace: "return directoryQuorum(nodes, policy.quorum === 'half' ? 'documented' : 'safe') - 1;",
      },
    ],
  },
  {
    name: 'attestations-counted-twice',
    rule: '§3: an entry needs the attestations of half of the nodes, each counted once',
    edits: [{ file: 'runtime/judged-record', find: 'countable++;', replace: 'countable += 2;' }],
  },
  {
    name: 'forged-attestations-count',
    rule: '§3: an attestation counts when its signature is good',
    edits: [
      {
        file: 'runtime/judged-record',
        find: 'word?.ok === true && word.identity === slot.attester;',
        replace: 'word !== undefined;',
      },
    ],
  },
  {
    name: 'validity-at-local-clock',
    rule: '§3: validity is judged at creation, never at the local clock',
    edits: [
      {
        file: 'runtime/frozen-lists',
        find: 'await this.#book.judge(view, creation)',
        replace: 'await this.#book.judge(view, this.#context.time.wallNow())',
      },
    ],
  },
  {
    name: 'final-set-not-verified',
    rule: '§3: everybody verifies the final set again',
    edits: [{ file: 'runtime/round-voter', find: 'if (good.length < quorum)', replace: 'if (good.length < 0)' }],
  },
  {
    name: 'votes-not-verified',
    rule: '§3: the leader verifies each vote against its own bytes',
    edits: [
      {
        file: 'runtime/round-leader',
        find: 'if (signature === undefined || signer !== from)',
        replace: 'if (signature === undefined)',
      },
    ],
  },
  {
    name: 'requests-out-of-time',
    rule: '§3: a voter checks the slot against its clock, so early and replayed requests are refused',
    edits: [
      {
        file: 'policy/request-check',
        find: 'Math.abs(nowSeconds - creation) > config.clockToleranceSeconds',
        replace: 'config.clockToleranceSeconds < 0',
      },
    ],
  },
  {
    name: 'anybody-may-ask',
    rule: '§2: only the leader that Raft names is heard',
    edits: [
      {
        file: 'runtime/discovery-consensus',
        find: 'this.#driver.leaderMessages.voteRequested(from, request)',
        replace: "this.#driver.leaderMessages.voteRequested(this.#driver.machine.leaderId ?? '', request)",
      },
    ],
  },
  {
    name: 'own-items-not-looked-for',
    rule: '§3: a voter refuses when more than a quarter of what it attested is missing',
    edits: [
      {
        file: 'policy/judgement',
        find: 'reachesShare(facts.ownEntriesListed, facts.ownEntries, policy.voteShare)',
        replace: 'reachesShare(facts.ownEntries, facts.ownEntries, policy.voteShare)',
      },
    ],
  },
  {
    name: 'not-forwarded-to-a-new-leader',
    rule: '§4: an accepted item is sent again until it is seen, also to a new leader',
    edits: [
      {
        file: 'runtime/forward-queue',
        find: 'pending.attempts = 0;',
        replace: 'pending.attempts = 0; pending.ready = true; pending.nextAt = Infinity; continue;',
      },
    ],
  },
  {
    name: 'removed-items-not-sent-again',
    rule: '§4: what a leader takes out of the list, those who attested it bring back',
    edits: [
      {
        file: 'runtime/own-entries',
        find: 'if (signature === undefined || this.#queue.get(identity) !== undefined || this.#isListed(own))',
        replace: 'if (this.#queue.size >= 0)',
      },
    ],
  },
  {
    name: 'forged-records-stay',
    rule: '§2: a leader heals the list of what a liar wrote into it',
    edits: [{ file: 'runtime/list-weeding', find: "if (worth === 'good')", replace: "if (worth !== 'none')" }],
  },
  {
    name: 'early-ends-believed',
    rule: '§2: until when an attestation holds is its certificate’s word, not the leader’s',
    edits: [
      {
        file: 'runtime/attestation-round',
        find: 'this.#prolong(record, known, lackedBy);',
        replace: 'continue;',
      },
    ],
  },
  {
    name: 'misdated-packets-stay',
    rule: '§2: a forged packet goes, also when its made-up dates are what it is refused for',
    edits: [
      {
        file: 'runtime/judged-record',
        find: "return isDoubtful(verdict) ? 'doubtful' : 'forged';",
        replace: "return isDoubtful(verdict) ? 'good' : 'forged';",
      },
    ],
  },
  {
    name: 'misdated-attestations-stay',
    rule: '§2: so does a forged attestation, which keeps the real one out',
    edits: [
      { file: 'runtime/judged-record', find: 'if (this.slots.some(isOpen))', replace: 'if (isOpen === undefined)' },
    ],
  },
  {
    name: 'crowds-stay',
    rule: '§2: attestations of strangers leave room for those of members',
    edits: [
      {
        file: 'runtime/judged-record',
        find: 'record.attesters.length - this.slots.length > MAX_STRANGERS;',
        replace: 'this.slots.length > MAX_STRANGERS;',
      },
    ],
  },
  {
    name: 'first-version-kept',
    rule: '§4: of packets of one expiration that in the list counts, whichever a node was given first',
    edits: [
      {
        file: 'runtime/publish-desk',
        find: 'expiration <= held.expiration && !isListedInstead(entry, expiration, held)',
        replace: 'expiration <= held.expiration',
      },
    ],
  },
  {
    name: 'offered-directory-not-verified',
    rule: '§5: a directory of a peer must carry a quorum',
    edits: [
      { file: 'runtime/directory-shelf', find: 'if (good.length < committee.quorum)', replace: 'if (good.length < 0)' },
    ],
  },
  {
    name: 'older-directory-taken',
    rule: '§5: never a directory that is older than the own one',
    edits: [
      {
        file: 'runtime/directory-shelf',
        find: 'if (now >= expiration || round <= (this.#newest?.round ?? 0))',
        replace: 'if (now >= expiration)',
      },
      {
        file: 'runtime/directory-shelf',
        find: 'if (round <= (this.#newest?.round ?? 0))',
        replace: 'if (round < 0)',
      },
      {
        file: 'runtime/directory-shelf',
        find: 'if (before !== null && before.round > directory.round)',
        replace: 'if (before !== null && before.round < 0)',
      },
      {
        file: 'runtime/directory-shelf',
        find: 'if (this.#current !== null && this.#current.round > directory.round)',
        replace: 'if (this.#current !== null && this.#current.round < 0)',
      },
    ],
  },
  {
    name: 'one-claim-stops-a-node',
    rule: 'ADR 0017: up to f liars cannot make a node take its own state for wrong',
    edits: [
      {
        file: 'policy/state-verdict',
        find: 'return other > toleratedLiars(nodes) && other >= withIt;',
        replace: 'return other > 0;',
      },
    ],
  },
  {
    name: 'promise-of-a-root-forgotten',
    rule: 'ADR 0016: who signed the next root signs nothing by the old one from its activation on',
    edits: [
      {
        file: 'policy/root-promise',
        find: 'if (promise === null || rootVersion >= promise.version)',
        replace: 'if (promise !== undefined)',
      },
    ],
  },
  {
    name: 'root-signed-too-late',
    rule: 'ADR 0016: who signed a listing of a round from the activation on does not sign the root',
    edits: [
      {
        file: 'policy/root-promise',
        find: "return promise.activation <= Math.max(now, lastCreation ?? 0) ? 'tooLate' : undefined;",
        replace: 'return undefined;',
      },
    ],
  },
  {
    name: 'listing-names-no-root',
    rule: 'ADR 0016: a listing says which root decided it, inside of what is signed',
    edits: [
      {
        file: 'policy/committee',
        find: 'return version === 1 ? {} : { rootVersion: version };',
        replace: 'return {};',
      },
    ],
  },
  {
    name: 'old-nodes-count-on',
    rule: 'ADR 0016: in a round only the signatures of the root in force count',
    edits: [
      { file: 'runtime/committees', find: 'rosters.slice(rosters.indexOf(from))', replace: 'rosters' },
      {
        file: 'runtime/committees',
        find: 'committee = committeeOf(version, identities, this.#options.policy);',
        replace:
          'committee = { ...committeeOf(version, identities, this.#options.policy), members: new Set(this.#rosters.flatMap((roster) => roster.members.map((member) => member.identity))) };',
      },
    ],
  },
  {
    name: 'interim-lists-add-up',
    rule: '§5: what a node makes by itself is no part of a quorum',
    edits: [
      {
        file: 'runtime/directory-shelf',
        find: 'config.slotSeconds + committees.ownPlace',
        replace: 'config.slotSeconds',
      },
    ],
  },
];
