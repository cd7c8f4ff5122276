//! A result process: it follows the counts, and shows the newest.

use std::sync::Arc;

use nats::StartAt;
use nats::ordered_reader::Event;
use subjects::TallyCounted;

use crate::election::Election;
use crate::process::Kind;
use crate::readers::Along;
use crate::server::{Content, Owner, Part, Stored, StreamName};

/// A result process.
#[derive(Debug)]
pub(crate) struct ResultProcess {
    pub tallies: Along,
    pub newest: Option<Arc<TallyCounted>>,
}

impl ResultProcess {
    /// Whether it shows final counts.
    pub fn is_final(&self) -> bool {
        self.newest.as_ref().is_some_and(|counts| counts.is_final)
    }
}

impl Election {
    pub fn start_result(&mut self, number: usize) {
        let tallies = Along::new(StreamName::Tallies, StartAt::NewestPerSubject);
        self.processes[number].kind = Kind::Result(Box::new(ResultProcess { tallies, newest: None }));
        let owner = Owner { process: number, life: self.processes[number].life, part: Part::TalliesReader };
        self.reader_happens(owner, Event::Wake);
    }

    /// Counts were announced, and reach who follows them.
    pub fn tallies_are_read(&mut self, number: usize, messages: &[Stored]) {
        for stored in messages {
            let Content::Counts(counts) = &stored.content else { continue };
            match &mut self.processes[number].kind {
                Kind::Result(result) => {
                    let before = result.newest.replace(Arc::clone(counts));
                    self.check_shown(before.as_deref(), counts);
                }
                Kind::Round(round) => round.is_counted = counts.is_final,
                _ => {}
            }
        }
        self.round_hears(number);
    }

    /// What a watcher sees never goes back, unless an operator has repaired it or restored an older copy.
    fn check_shown(&mut self, before: Option<&TallyCounted>, counts: &TallyCounted) {
        let goes_back = before.is_some_and(|before| {
            (counts.generation, counts.sequence) < (before.generation, before.sequence)
        });
        if goes_back && !self.are_scores_rolled_back {
            self.violate(format_args!("watchers see {before:?} and then {counts:?}"));
        }
    }

    /// Whether the counts are final, and everyone shows them.
    pub fn are_counts_shown(&self) -> bool {
        let committed = self.scores.committed();
        let of_these = |counts: &TallyCounted| {
            counts.sequence == committed.sequence
                && i64::try_from(counts.generation).is_ok_and(|generation| generation == committed.generation)
        };
        committed.is_final
            && self.processes.iter().all(|process| match &process.kind {
                Kind::Result(result) => result.newest.as_deref().is_some_and(of_these),
                _ => true,
            })
    }

    /// At rest everyone shows the counts of the log.
    pub fn check_counted(&mut self) {
        let end = self.books.end();
        let committed = self.scores.committed();
        if committed.sequence != end || !committed.is_final {
            self.violate(format_args!("{} of {end} messages are counted at rest", committed.sequence));
        }
        self.check_counts(&committed);
        let shown = self.processes.iter().filter_map(|process| match &process.kind {
            Kind::Result(result) => result.newest.clone(),
            _ => None,
        });
        for counts in shown.collect::<Vec<_>>() {
            if counts.ledger != committed.ledger || counts.sequence != committed.sequence {
                self.violate(format_args!("watchers see {counts:?} at rest, not {committed:?}"));
            }
        }
    }
}
