//! Many voters at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use tokio::task::JoinSet;
use urna_world::{Answer, Voter, World, audit};

/// Voters that vote, one ballot after another each, until they are told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    voters: JoinSet<Told>,
}

/// What the voters of a load were told.
#[derive(Debug, Default)]
pub struct Told {
    /// Ballots that were accepted.
    pub accepted: Vec<Answer>,
    /// Answers other than 201, and 503 with `Retry-After`.
    pub wrong: Vec<Answer>,
    /// How often there was no answer or a 503.
    pub unanswered: usize,
}

impl Load {
    /// Begins: `voters` connections at once, each casting first ballots of ever new voters, every third changed once.
    pub fn begin(address: &str, voters: usize, name: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut set = JoinSet::new();
        for number in 0..voters {
            let (address, stop, name) = (address.to_owned(), Arc::clone(&stop), format!("{name}-{number}"));
            set.spawn(async move { vote_on(&address, &name, &stop).await });
        }
        Self { stop, voters: set }
    }

    /// Ends, when every voter has the answer it waits for.
    pub async fn end(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Told::default();
        for told in self.voters.join_all().await {
            all.accepted.extend(told.accepted);
            all.wrong.extend(told.wrong);
            all.unanswered += told.unanswered;
        }
        all
    }
}

/// Ten waves of `voters` each vote on both processes at once, with choices that differ. Nobody sees a conflict, and one
/// ballot of each counts.
pub async fn one_ballot_a_voter(world: &World, addresses: &[String; 2], voters: usize) {
    let mut told = Vec::new();
    for wave in 0..10 {
        let votes = (0..voters).flat_map(|number| {
            let voter = Voter::program(&addresses[0], &format!("voter-{wave}-{number}"));
            let other = voter.at(&addresses[1]);
            [(voter, "cats"), (other, "dogs")]
        });
        told.extend(join_all(votes.map(|(voter, option)| async move { voter.votes(option).await })).await);
    }
    let wrong: Vec<_> = told.iter().filter(|answer| !answer.is_accepted()).collect();
    assert!(wrong.is_empty(), "no honest voter sees a conflict: {wrong:?}");
    let audit = audit(world).await;
    assert_eq!(audit.voters.len(), 10 * voters);
    assert_eq!(audit.votes.values().sum::<i64>(), i64::try_from(10 * voters).expect("few voters"));
    audit.holds(&told);
}

async fn vote_on(address: &str, name: &str, stop: &AtomicBool) -> Told {
    let mut told = Told::default();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let voter = Voter::program(address, &format!("{name}-{number}"));
        told.note(voter.try_votes("cats", None).await);
        if number % 3 == 0 {
            told.note(voter.try_votes("dogs", None).await);
        }
        number += 1;
    }
    told
}

impl Told {
    fn note(&mut self, answer: reqwest::Result<Answer>) {
        match answer {
            Ok(answer) if answer.is_accepted() => self.accepted.push(answer),
            Ok(answer) if answer.status == 503 && answer.retry_after.is_some() => self.unanswered += 1,
            Ok(answer) => self.wrong.push(answer),
            Err(_) => self.unanswered += 1,
        }
    }
}
