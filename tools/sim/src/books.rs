//! The books: what is true, kept by code that shares nothing with the machines. Every message that is stored and every
//! answer that is given is held against them.

use std::collections::{BTreeMap, BTreeSet};

use subjects::{BallotId, BallotsCast, CastBallot, Choice, Ledger, OptionId, Place, Voter};

use crate::server::Content;

/// A ballot of a voter.
pub type Key = (Voter, BallotId);

/// What must not be, in words.
pub type Violation = String;

/// The truth about one log.
#[derive(Clone, Debug, Default)]
pub struct Books {
    allow_changes: bool,
    /// After each message; the first is the empty log.
    prefixes: Vec<Prefix>,
    ballots: BTreeMap<Key, (Place, Choice)>,
    newest: BTreeMap<Voter, (BallotId, Choice)>,
    sealed_at: Option<u64>,
    /// Blocks, to go back to an older state.
    messages: Vec<Content>,
    /// Ballots of which a voter was told that they are stored.
    promised: BTreeMap<Key, Place>,
    /// Ballots that were promised, and lost by an operator.
    pub excused: BTreeSet<Key>,
    /// How many requests may have brought a ballot: they wait, were answered so, or nobody knows.
    may_bring: BTreeMap<Key, u32>,
}

/// The counts after some message of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefix {
    /// Votes per option; those with none are not here.
    pub votes: BTreeMap<OptionId, i64>,
    /// Where the ballots went.
    pub ledger: Ledger,
    /// Whether the seal was passed.
    pub is_final: bool,
}

impl Books {
    /// The books of an empty log.
    pub fn new(allow_changes: bool) -> Self {
        Self { allow_changes, prefixes: vec![Prefix::default()], ..Self::default() }
    }

    /// The counts after the message at a sequence.
    pub fn prefix(&self, sequence: u64) -> Option<&Prefix> {
        self.prefixes.get(usize::try_from(sequence).ok()?)
    }

    /// The last sequence.
    pub fn end(&self) -> u64 {
        self.messages.len() as u64
    }

    /// Where the seal is.
    pub fn sealed_at(&self) -> Option<u64> {
        self.sealed_at
    }

    /// Where a ballot is, and its choice.
    pub fn ballot(&self, key: &Key) -> Option<&(Place, Choice)> {
        self.ballots.get(key)
    }

    /// The id of the ballot that counts for a voter.
    pub fn newest(&self, voter: &Voter) -> Option<BallotId> {
        self.newest.get(voter).map(|(id, _)| *id)
    }

    /// A request with this ballot has reached a process.
    pub fn asked(&mut self, key: Key) {
        *self.may_bring.entry(key).or_default() += 1;
    }

    /// Takes in a message that was stored.
    ///
    /// # Errors
    /// [`Violation`].
    pub fn store(&mut self, content: &Content) -> Result<(), Violation> {
        let sequence = self.end() + 1;
        if let Some(sealed_at) = self.sealed_at {
            return Err(format!("message {sequence} is behind the seal at {sealed_at}"));
        }
        let mut prefix = self.prefixes.last().cloned().unwrap_or_default();
        match content {
            Content::Block(block) => self.store_block(sequence, block, &mut prefix)?,
            Content::Seal(_) => {
                self.sealed_at = Some(sequence);
                prefix.is_final = true;
            }
            _ => prefix.ledger.unreadable += 1,
        }
        self.prefixes.push(prefix);
        self.messages.push(content.clone());
        Ok(())
    }

    fn store_block(
        &mut self,
        sequence: u64,
        block: &BallotsCast,
        prefix: &mut Prefix,
    ) -> Result<(), Violation> {
        for (index, cast) in (0..).zip(&block.ballots) {
            let place = Place { sequence, index };
            let key = (cast.voter, cast.ballot);
            if let Some((first, _)) = self.ballots.insert(key, (place, cast.choice.clone())) {
                return Err(format!("ballot {} is stored at {first:?} and again at {place:?}", cast.ballot));
            }
            if self.may_bring.get(&key).is_none_or(|requests| *requests == 0) {
                let told = "its voter was told that nothing was stored";
                return Err(format!("ballot {} is stored at {place:?}, but {told}", cast.ballot));
            }
            self.count(place, cast, prefix)?;
        }
        Ok(())
    }

    fn count(&mut self, place: Place, cast: &CastBallot, prefix: &mut Prefix) -> Result<(), Violation> {
        let before = self.newest.insert(cast.voter, (cast.ballot, cast.choice.clone()));
        let said = cast.replaces.as_ref().map(|replaced| (replaced.ballot, replaced.choice.clone()));
        if said != before {
            return Err(format!("the ballot at {place:?} says that it replaces {said:?}, not {before:?}"));
        }
        prefix.ledger.accepted += 1;
        match before {
            Some(_) if !self.allow_changes => {
                return Err(format!("the ballot at {place:?} changes another, which the round forbids"));
            }
            Some((_, choice)) => {
                prefix.ledger.replaced += 1;
                add(&mut prefix.votes, &choice, -1);
            }
            None => prefix.ledger.counted += 1,
        }
        add(&mut prefix.votes, &cast.choice, 1);
        Ok(())
    }

    /// A voter is told that the ballot is stored at a place.
    ///
    /// # Errors
    /// [`Violation`].
    pub fn promise(&mut self, key: Key, place: Place, choice: &Choice) -> Result<(), Violation> {
        match self.ballots.get(&key) {
            Some((there, stored)) if *there == place && stored == choice => {}
            there => {
                return Err(format!("ballot {} is promised at {place:?}, but the log has {there:?}", key.1));
            }
        }
        match self.promised.insert(key, place) {
            Some(first) if first != place => {
                Err(format!("ballot {} is promised at {first:?} and then at {place:?}", key.1))
            }
            _ => Ok(()),
        }
    }

    /// A voter is told that this request has stored nothing.
    ///
    /// # Errors
    /// [`Violation`].
    pub fn deny(&mut self, key: Key) -> Result<(), Violation> {
        let may_bring = self.may_bring.entry(key).or_default();
        *may_bring = may_bring.saturating_sub(1);
        if *may_bring == 0
            && let Some((place, _)) = self.ballots.get(&key)
        {
            return Err(format!("ballot {} is stored at {place:?}, but its voter was told otherwise", key.1));
        }
        Ok(())
    }

    /// Everything that was promised is still there.
    ///
    /// # Errors
    /// [`Violation`].
    pub fn keep(&self) -> Result<(), Violation> {
        for (key, place) in &self.promised {
            if self.ballots.get(key).map(|(there, _)| there) != Some(place) {
                return Err(format!("ballot {} was promised at {place:?} and is gone", key.1));
            }
        }
        match self.prefixes.last() {
            Some(last) if !last.ledger.balances() => Err(format!("{:?} does not balance", last.ledger)),
            _ => Ok(()),
        }
    }

    /// An operator restores an older state of the log: what was promised behind it is lost.
    pub fn roll_back(&mut self, end: u64) {
        let lost: Vec<Key> =
            self.ballots.iter().filter(|(_, (place, _))| place.sequence > end).map(|(key, _)| *key).collect();
        let messages = std::mem::take(&mut self.messages);
        let mut older = Self::new(self.allow_changes);
        older.may_bring = std::mem::take(&mut self.may_bring);
        older.promised = std::mem::take(&mut self.promised);
        older.excused = std::mem::take(&mut self.excused);
        for content in messages.iter().take(usize::try_from(end).unwrap_or(usize::MAX)) {
            older.store(content).expect("it was stored before");
        }
        for key in lost {
            older.promised.remove(&key);
            older.excused.insert(key);
        }
        *self = older;
    }
}

fn add(to: &mut BTreeMap<OptionId, i64>, choice: &Choice, votes: i64) {
    for option in &choice.0 {
        let count = to.entry(option.clone()).or_default();
        *count += votes;
        if *count == 0 {
            to.remove(option);
        }
    }
}
