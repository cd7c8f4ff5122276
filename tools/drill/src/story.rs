//! What voters did and what they were told, and whether the log agrees.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use urna_world::{Answer, Audit};

/// Everything one voter did, in the order they did it.
#[derive(Clone, Debug)]
pub struct Story {
    /// Who.
    pub voter: String,
    /// Whether this is a program, which is known by that name.
    pub is_program: bool,
    /// What they sent, and what they were told.
    pub tries: Vec<Try>,
}

/// A ballot that was sent once.
#[derive(Clone, Debug)]
pub struct Try {
    /// Its id.
    pub ballot: String,
    /// What was chosen.
    pub choice: &'static str,
    /// The answer.
    pub told: Told,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is in the log, here.
    Accepted {
        /// The sequence of its block.
        sequence: u64,
        /// Its index there.
        place: usize,
    },
    /// This id is that of another ballot.
    Reused,
    /// Nothing was accepted; come back.
    Away,
    /// It may be in the log or not; come back.
    Unconfirmed,
    /// No answer.
    Nothing,
    /// Anything else, which nobody should be told.
    Wrong(String),
}

/// How often voters did something or were told something.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers {
    /// Voters.
    pub voters: usize,
    /// Different ballots that were sent.
    pub offered: usize,
    /// Different ballots that were accepted.
    pub accepted: usize,
    /// Of these, those of a voter who had been told before that another was accepted.
    pub changed: usize,
    /// Answers that a ballot is accepted, to voters who had been told so before.
    pub repeated: usize,
    /// Answers that an id is that of another ballot.
    pub refused: usize,
    /// Answers to come back.
    pub away: usize,
    /// Tries without an answer.
    pub unanswered: usize,
}

/// What is known of one ballot of a voter.
#[derive(Debug, Default)]
struct Known {
    choice: &'static str,
    told: Vec<Told>,
}

impl Told {
    /// Reads an answer to `ballot`.
    pub fn of(answer: &Answer, ballot: &str) -> Self {
        let body = &answer.body;
        let (sequence, place) = (body["sequence"].as_u64(), body["index"].as_u64());
        match (answer.status.as_u16(), body["type"].as_str()) {
            // The answer was cut off.
            (201 | 409 | 503, None) if body.is_null() => Self::Nothing,
            (201, _) if body["ballot"] == ballot => match (sequence, place.and_then(|it| it.try_into().ok()))
            {
                (Some(sequence), Some(place)) => Self::Accepted { sequence, place },
                _ => Self::Wrong(format!("201 {body}")),
            },
            (409, Some("urn:urna:ballot-id-reused")) => Self::Reused,
            (503, Some("urn:urna:unconfirmed")) if answer.retry_after.is_some() => Self::Unconfirmed,
            (503, Some(_)) if answer.retry_after.is_some() => Self::Away,
            (status, _) => Self::Wrong(format!("{status} {body}")),
        }
    }

    /// Whether asking again could not tell more.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Accepted { .. } | Self::Reused | Self::Wrong(_))
    }

    fn is_doubt(&self) -> bool {
        matches!(self, Self::Unconfirmed | Self::Nothing)
    }

    fn place(&self) -> Option<(u64, usize)> {
        match self {
            Self::Accepted { sequence, place } => Some((*sequence, *place)),
            _ => None,
        }
    }
}

impl Story {
    /// The story of somebody who has not done anything yet.
    pub fn of(voter: String, is_program: bool) -> Self {
        Self { voter, is_program, tries: Vec::new() }
    }

    /// Whether they were told that this ballot is accepted.
    pub fn was_accepted(&self, ballot: &str) -> bool {
        self.tries.iter().any(|it| it.ballot == ballot && it.told.place().is_some())
    }

    /// Ballots of which they do not know whether they are in the log, with what was chosen.
    pub fn in_doubt(&self) -> Vec<(String, &'static str)> {
        let in_doubt = self.ballots().into_iter().filter(|(_, known)| known.is_in_doubt());
        in_doubt.map(|(ballot, known)| (ballot.to_owned(), known.choice)).collect()
    }

    fn ballots(&self) -> BTreeMap<&str, Known> {
        let mut ballots: BTreeMap<&str, Known> = BTreeMap::new();
        for Try { ballot, choice, told } in &self.tries {
            let known = ballots.entry(ballot).or_insert(Known { choice, told: Vec::new() });
            // The other tries use the id for another choice.
            if known.choice == *choice {
                known.told.push(told.clone());
            }
        }
        ballots
    }

    fn count(&self, numbers: &mut Numbers) {
        numbers.voters += 1;
        numbers.offered += self.ballots().len();
        let mut accepted = BTreeSet::new();
        for Try { ballot, told, .. } in &self.tries {
            match told {
                Told::Accepted { .. } if !accepted.insert(ballot) => numbers.repeated += 1,
                Told::Accepted { .. } => {
                    numbers.accepted += 1;
                    numbers.changed += usize::from(accepted.len() > 1);
                }
                Told::Reused => numbers.refused += 1,
                Told::Away | Told::Unconfirmed => numbers.away += 1,
                Told::Nothing => numbers.unanswered += 1,
                Told::Wrong(_) => {}
            }
        }
    }

    /// Whatever the log says otherwise than this voter was told.
    fn differences(&self, audit: &Audit, choices: &HashMap<&str, (&str, &str)>) -> Vec<String> {
        let mut found = Vec::new();
        let mut say = |what: String| found.push(format!("{}: {what}", self.voter));
        for (ballot, known) in self.ballots() {
            let place = audit.ballots.get(ballot).copied();
            known.differences(place).into_iter().for_each(|it| say(format!("ballot {ballot} {it}")));
            if let Some((_, choice)) = choices.get(ballot).filter(|(_, choice)| *choice != known.choice) {
                say(format!("ballot {ballot} chose {}, and lies in the log with {choice}", known.choice));
            }
        }
        self.refusals().into_iter().for_each(&mut say);
        self.order(audit).into_iter().for_each(&mut say);
        found
    }

    /// Refusals that should not have been, and ids that were taken for another choice.
    fn refusals(&self) -> Vec<String> {
        let ballots = self.ballots();
        let mut found = Vec::new();
        for Try { ballot, choice, told } in &self.tries {
            let reuses = ballots.get(ballot.as_str()).is_some_and(|known| known.choice != *choice);
            match told {
                Told::Accepted { .. } if reuses => {
                    found.push(format!("ballot {ballot} was accepted again with another choice"));
                }
                Told::Reused if !reuses => {
                    found.push(format!("ballot {ballot} was refused, as if its id were another's"));
                }
                Told::Wrong(answer) => found.push(format!("ballot {ballot} was answered {answer}")),
                _ => {}
            }
        }
        found
    }

    /// Ballots that lie before one of which the voter had been told already when they sent them; and a ballot that
    /// counts though a later one was accepted.
    fn order(&self, audit: &Audit) -> Vec<String> {
        let mut found = Vec::new();
        let mut sent = BTreeSet::new();
        let mut newest: Option<(&str, (u64, usize))> = None;
        for Try { ballot, told, .. } in &self.tries {
            let place = audit.ballots.get(ballot);
            let is_new = sent.insert(ballot.as_str());
            if let (true, Some(place), Some((before, newest))) = (is_new, place, newest)
                && *place < newest
            {
                found.push(format!(
                    "ballot {ballot} lies before {before}, which was accepted before it was sent"
                ));
            }
            if let (Some(place), Some(_)) = (place, told.place())
                && newest.is_none_or(|(_, newest)| newest < *place)
            {
                newest = Some((ballot, *place));
            }
        }
        found
    }
}

impl Known {
    fn is_in_doubt(&self) -> bool {
        self.told.iter().any(Told::is_doubt) && !self.told.iter().any(Told::is_settled)
    }

    /// What was told of this ballot, against where it lies.
    fn differences(&self, lies_at: Option<(u64, usize)>) -> Vec<String> {
        let places: BTreeSet<_> = self.told.iter().filter_map(Told::place).collect();
        match lies_at {
            None => places
                .iter()
                .map(|place| format!("was accepted at {place:?}, and is not in the log"))
                .collect(),
            Some(at) if places.is_empty() && !self.told.iter().any(Told::is_doubt) => {
                vec![format!("was never accepted, and lies in the log at {at:?}")]
            }
            Some(at) => {
                let elsewhere = places.iter().filter(|place| **place != at);
                elsewhere.map(|place| format!("was accepted at {place:?}, and lies at {at:?}")).collect()
            }
        }
    }
}

/// Counts what voters did and were told.
pub fn numbers(stories: &[Story]) -> Numbers {
    let mut numbers = Numbers::default();
    stories.iter().for_each(|story| story.count(&mut numbers));
    numbers
}

/// Whatever the log says otherwise than voters were told, in words that name the ballots; nothing when all is well.
pub fn compare(stories: &[Story], audit: &Audit) -> Vec<String> {
    let mut found = audit.faults.clone();
    let log: HashMap<&str, (&str, &str)> =
        audit.log.iter().map(|it| (it.ballot.as_str(), (it.voter.as_str(), it.choice.as_str()))).collect();
    let mut owners: HashMap<&str, &str> = HashMap::new();
    let mut sent = BTreeSet::new();
    for story in stories {
        found.extend(story.differences(audit, &log));
        let ballots: Vec<&str> = story.tries.iter().map(|it| it.ballot.as_str()).collect();
        let voters: BTreeSet<&str> = ballots.iter().filter_map(|it| Some(log.get(it)?.0)).collect();
        if voters.len() > 1 {
            found.push(format!("{}: counts as {} voters: {voters:?}", story.voter, voters.len()));
        }
        for voter in voters {
            if let Some(other) = owners.insert(voter, &story.voter) {
                found.push(format!("{other} and {} count as one voter: {voter}", story.voter));
            }
            found.extend(counts_wrongly(story, audit, voter));
        }
        sent.extend(ballots);
    }
    let unknown = audit.log.iter().filter(|it| !sent.contains(it.ballot.as_str()));
    found.extend(unknown.map(|it| format!("nobody has sent ballot {}, which is in the log", it.ballot)));
    found
}

/// The ballot that counts must be the last of which the voter was told that it is accepted, or a later one of which
/// they were told nothing certain.
fn counts_wrongly(story: &Story, audit: &Audit, voter: &str) -> Option<String> {
    let (counts, _) = audit.voters.get(voter)?;
    let place = audit.ballots.get(counts)?;
    let accepted = story.tries.iter().filter_map(|it| Some((it.told.place()?, it.ballot.as_str())));
    let (newest, ballot) = accepted.max()?;
    (newest > *place)
        .then(|| format!("{}: ballot {counts} counts, though {ballot} was accepted later", story.voter))
}
