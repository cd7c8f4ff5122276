//! The fold, by properties: whatever happens on the way, every part of Urna tells the same story.
//!
//! Whole elections are simulated, of the machines that the product ships. What is in the log at the end is counted by the
//! recount, which shares nothing with the tally, from the bytes that a stream would hold.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use recount::Recount;
use subjects::{Said, VoteMessage};
use urna_sim::{Ending, Plan, run_to_end};

fn recount(log: &[Option<VoteMessage>]) -> Recount {
    let mut recount = Recount::default();
    for (sequence, message) in (1..).zip(log) {
        let (subject, payload) = match message {
            Some(VoteMessage::Cast(block)) => (block.subject(), serde_json::to_vec(block)),
            Some(VoteMessage::Sealed(seal)) => (seal.subject(), serde_json::to_vec(seal)),
            None => ("vote.demo.cast".to_owned(), Ok(b"?".to_vec())),
        };
        recount.take(sequence, &subject, &payload.expect("a message is JSON"));
    }
    recount
}

#[test]
fn an_announcement_on_its_way_during_a_repair_is_no_contradiction() {
    let plan = Plan { is_approval: true, allow_changes: false, ..Plan::of(7_580_997_800_175_682_544) };
    assert_eq!(run_to_end(&plan).violation, None);
}

#[test]
fn an_answer_to_a_count_that_has_ended_is_none_to_the_next() {
    let plan = Plan { is_approval: true, allow_changes: false, ..Plan::of(14_596_652_963_728_025_784) };
    assert_eq!(run_to_end(&plan).violation, None);
}

proptest! {
    // The same elections each time: `make sim` is what looks for new ones.
    #![proptest_config(ProptestConfig { cases: 300, rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_on_the_way_the_tally_says_what_the_recount_says(
        seed in any::<u64>(),
        is_approval in any::<bool>(),
        allow_changes in any::<bool>(),
    ) {
        let plan = Plan { is_approval, allow_changes, ..Plan::of(seed) };
        let Ending { violation, log, counts } = run_to_end(&plan);
        prop_assert_eq!(violation, None);
        let recount = recount(&log);
        prop_assert_eq!(&recount.faults, &[]);
        let (mut votes, mut counted) = (recount.votes(), counts.votes.clone());
        votes.retain(|_, count| *count != 0);
        counted.retain(|_, count| *count != 0);
        prop_assert_eq!(&counted, &votes);
        prop_assert_eq!(counts.ledger.accepted, recount.accepted);
        prop_assert_eq!(counts.ledger.counted, recount.counted());
        prop_assert_eq!(counts.ledger.replaced, recount.replaced);
        prop_assert_eq!(counts.ledger.unreadable, recount.unreadable);
        prop_assert!(counts.ledger.balances());
        // The books balance over ballots. Votes are as many where each ballot has one, and not fewer where it has more.
        let votes: i64 = votes.values().sum();
        if is_approval {
            prop_assert!(votes >= recount.counted() as i64);
        } else {
            prop_assert_eq!(votes, recount.counted() as i64);
        }
        prop_assert!(counts.is_final && recount.sealed_at.is_some());
        if !allow_changes {
            prop_assert_eq!(recount.replaced, 0);
        }
    }
}
