//! The fold, by properties: whatever happens on the way, every part of Urna tells the same story.
//!
//! A small world in memory: some boxes, one log that accepts a block only behind the sequence it expects, and a tally
//! that is cut short, fed twice and made to fail. At the end the tally says what the recount says, every voter has one
//! ballot that counts, and everyone was told the truth.

use std::collections::{BTreeMap, HashMap};

use nats::intake::InOrder;
use proptest::prelude::*;
use recount::Recount;
use subjects::{
    BallotId, BallotsCast, Choice, Method, OptionId, Place, Round, RoundId, RoundOption, RoundSealed, Said,
    Timestamp, VoteMessage, Voter,
};
use tally::rules::{Scoreboard, Totals};
use vote::rules::{Ballot, BlockBuilder, Fold, Refusal, Verdict, choose};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Event {
    /// A voter sends a ballot to a box. What they choose is drawn as bits, one for each option.
    Sends { to: usize, voter: u8, choice: u8, id: Sent },
    /// A box judges what waits there and appends it.
    Appends { by: usize, fate: Fate },
    /// A box reads some of what it has missed.
    Reads { by: usize, messages: usize },
    /// The tally is given messages from a place, again or anew, and its commit holds or fails.
    Counts { from_behind: usize, messages: usize, commits: bool },
    /// The round is sealed.
    Seals,
}

/// With which id a ballot is sent.
#[derive(Clone, Copy, Debug)]
enum Sent {
    New,
    Again,
    Without,
}

/// What becomes of a block on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It is stored, if its expectation holds, and the box is told.
    Answered,
    /// It is stored, if its expectation holds, and the answer is lost: the box looks for it.
    AnswerLost,
    /// It is lost before it reaches the log: the box looks for it.
    Lost,
    /// The box gives up waiting, and the block arrives late, behind whatever came between.
    Late,
}

/// A ballot that a voter sent, and waits for.
#[derive(Clone, Debug)]
struct Waiting {
    ballot: Ballot,
}

#[derive(Default)]
struct BallotBox {
    fold: Fold,
    waiting: Vec<Waiting>,
}

/// The small world.
struct Small {
    boxes: Vec<BallotBox>,
    log: Vec<VoteMessage>,
    method: Method,
    changeable: bool,
    late: Vec<(u64, VoteMessage)>,
    sent: HashMap<Voter, Ballot>,
    told: Vec<(Voter, BallotId, Choice, Place)>,
    tally: Scoreboard,
}

fn round() -> RoundId {
    RoundId::parse("demo").expect("a slug")
}

const OPTIONS: [&str; 3] = ["cats", "dogs", "birds"];

/// The choice of these bits, as a voter may make it: one option for plurality, one or several for approval.
fn chosen(method: Method, bits: u8) -> Choice {
    let option = |id: &str| RoundOption::new(OptionId::parse(id).expect("a slug"), id);
    let round = Round { method, options: OPTIONS.map(option).into(), ..Round::blank(round()) };
    let bit = |place: usize| bits >> place & 1 == 1;
    let mut named: Vec<String> =
        OPTIONS.iter().enumerate().filter(|(place, _)| bit(*place)).map(|(_, id)| (*id).to_owned()).collect();
    if named.is_empty() || method == Method::Plurality {
        named = vec![OPTIONS[usize::from(bits) % 3].to_owned()];
    }
    // In whatever order they are named.
    named.reverse();
    choose(&round, &named).expect("a choice of this round")
}

fn at() -> Timestamp {
    Timestamp::from_unix_millis(0).expect("a moment")
}

impl Small {
    fn new(boxes: usize, method: Method, changeable: bool) -> Self {
        let boxes = (0..boxes).map(|_| BallotBox::default()).collect();
        let (late, sent, told) = Default::default();
        let (log, tally) = Default::default();
        Self { boxes, log, method, changeable, late, sent, told, tally }
    }

    fn happens(&mut self, event: &Event) {
        match *event {
            Event::Sends { to, voter, choice, id } => self.send(to, voter, choice, id),
            Event::Appends { by, fate } => self.append(by % self.boxes.len(), fate),
            Event::Reads { by, messages } => self.read(by % self.boxes.len(), messages),
            Event::Counts { from_behind, messages, commits } => self.count(from_behind, messages, commits),
            Event::Seals => self.seal(),
        }
    }

    fn send(&mut self, to: usize, voter: u8, choice: u8, id: Sent) {
        let voter = Voter::from_bytes([voter; 16]);
        let choice = chosen(self.method, choice);
        let ballot = match (id, self.sent.get(&voter)) {
            (Sent::Again, Some(before)) => before.clone(),
            (Sent::Without, _) => Ballot { id: BallotId::random(), has_given_id: false, voter, choice },
            _ => Ballot { id: BallotId::random(), has_given_id: true, voter, choice },
        };
        self.sent.insert(voter, ballot.clone());
        let to = to % self.boxes.len();
        self.boxes[to].waiting.push(Waiting { ballot });
    }

    /// Stores a message behind `expected`, as the server does: or not at all.
    fn store(&mut self, expected: u64, message: &VoteMessage) -> bool {
        let holds = self.log.len() as u64 == expected;
        if holds {
            self.log.push(message.clone());
        }
        holds
    }

    fn append(&mut self, by: usize, fate: Fate) {
        let waiting = std::mem::take(&mut self.boxes[by].waiting);
        let (fold, mut builder) = (&self.boxes[by].fold, BlockBuilder::default());
        let verdicts: Vec<Verdict> =
            waiting.iter().map(|it| fold.judge(&mut builder, &it.ballot, self.changeable)).collect();
        let expected = fold.sequence();
        if builder.is_empty() {
            return self.tell(by, &waiting, &verdicts, expected);
        }
        let block = BallotsCast { at: at(), round: round(), ballots: builder.into_ballots() };
        let message = VoteMessage::Cast(block);
        let stored = match fate {
            Fate::Answered | Fate::AnswerLost => self.store(expected, &message),
            Fate::Lost => false,
            Fate::Late => {
                self.late.push((expected, message.clone()));
                false
            }
        };
        if stored {
            // Answered, or found where it must lie.
            self.boxes[by].fold.take(expected + 1, &message);
            self.tell(by, &waiting, &verdicts, expected);
        } else {
            // A conflict, or not found: it is judged again when the box has read on.
            self.boxes[by].waiting = waiting;
            self.read(by, usize::MAX);
        }
        self.deliver_late();
    }

    /// What was late arrives, now or never.
    fn deliver_late(&mut self) {
        for (expected, message) in std::mem::take(&mut self.late) {
            self.store(expected, &message);
        }
    }

    fn tell(&mut self, by: usize, waiting: &[Waiting], verdicts: &[Verdict], expected: u64) {
        for (it, verdict) in waiting.iter().zip(verdicts) {
            let (id, place) = match *verdict {
                Verdict::InLog(id, place) => (id, place),
                Verdict::InBlock(id, index) => (id, Place { sequence: expected + 1, index }),
                Verdict::NoRoom => {
                    self.boxes[by].waiting.push(it.clone());
                    continue;
                }
                Verdict::Refused(refusal) | Verdict::RefusedByBlock(refusal) => {
                    assert!(!self.changeable || refusal == Refusal::Closed || it.ballot.has_given_id);
                    continue;
                }
            };
            self.told.push((it.ballot.voter, id, it.ballot.choice.clone(), place));
        }
    }

    fn read(&mut self, by: usize, messages: usize) {
        let fold = &mut self.boxes[by].fold;
        let from = usize::try_from(fold.sequence()).expect("a short log");
        for (sequence, message) in (1..).zip(&self.log).skip(from).take(messages) {
            fold.take(sequence, message);
        }
    }

    fn seal(&mut self) {
        let is_sealed = self.log.iter().any(|message| matches!(message, VoteMessage::Sealed(_)));
        if !is_sealed {
            self.log.push(VoteMessage::Sealed(RoundSealed {
                at: at(),
                round: round(),
                why: "it was closed".into(),
            }));
        }
    }

    /// Messages come in order, but from wherever the server thinks the tally is; a commit that fails changes nothing.
    fn count(&mut self, from_behind: usize, messages: usize, commits: bool) {
        let counted = usize::try_from(self.tally.sequence).expect("a short log");
        let from = counted.saturating_sub(from_behind);
        let run: Vec<InOrder<Totals>> = (1..)
            .zip(&self.log)
            .skip(from)
            .take(messages)
            .map(|(sequence, it)| InOrder {
                sequence,
                trace: None,
                stored_at: None,
                message: Ok(Totals::of(it)),
            })
            .collect();
        let mut after = self.tally.clone();
        after.count(&run);
        if commits {
            self.tally = after;
        }
    }

    /// Everything comes to rest.
    fn rest(&mut self) {
        for by in 0..self.boxes.len() {
            while !self.boxes[by].waiting.is_empty() {
                self.read(by, usize::MAX);
                self.append(by, Fate::Answered);
            }
        }
        self.count(0, usize::MAX, true);
    }

    fn recount(&self) -> Recount {
        let mut recount = Recount::default();
        for (sequence, message) in (1..).zip(&self.log) {
            let (subject, payload) = match message {
                VoteMessage::Cast(block) => (block.subject(), serde_json::to_vec(block)),
                VoteMessage::Sealed(seal) => (seal.subject(), serde_json::to_vec(seal)),
            };
            recount.take(sequence, &subject, &payload.expect("a message is JSON"));
        }
        recount
    }

    /// The ballots of the log by their place.
    fn ballots(&self) -> BTreeMap<Place, (Voter, BallotId, Choice)> {
        let mut ballots = BTreeMap::new();
        for (sequence, message) in (1..).zip(&self.log) {
            let VoteMessage::Cast(block) = message else { continue };
            for (index, cast) in (0..).zip(&block.ballots) {
                ballots.insert(Place { sequence, index }, (cast.voter, cast.ballot, cast.choice.clone()));
            }
        }
        ballots
    }
}

fn event() -> impl Strategy<Value = Event> {
    let sent = prop_oneof![3 => Just(Sent::New), 2 => Just(Sent::Again), 2 => Just(Sent::Without)];
    let fate = prop_oneof![4 => Just(Fate::Answered), 1 => Just(Fate::AnswerLost), 1 => Just(Fate::Lost), 1 => Just(Fate::Late)];
    prop_oneof![
        8 => (0..3usize, 0..5u8, 0..8u8, sent)
            .prop_map(|(to, voter, choice, id)| Event::Sends { to, voter, choice, id }),
        4 => (0..3usize, fate).prop_map(|(by, fate)| Event::Appends { by, fate }),
        2 => (0..3usize, 0..4usize).prop_map(|(by, messages)| Event::Reads { by, messages }),
        3 => (0..4usize, 0..5usize, any::<bool>())
            .prop_map(|(from_behind, messages, commits)| Event::Counts { from_behind, messages, commits }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_on_the_way_the_tally_says_what_the_recount_says(
        events in prop::collection::vec(event(), 0..80),
        seal_after in prop::option::of(0..80usize),
        boxes in 1..4usize,
        method in prop_oneof![Just(Method::Plurality), Just(Method::Approval)],
        changeable in any::<bool>(),
    ) {
        let mut small = Small::new(boxes, method, changeable);
        for (number, event) in events.iter().enumerate() {
            if seal_after == Some(number) {
                small.happens(&Event::Seals);
            }
            small.happens(event);
        }
        small.rest();
        let recount = small.recount();
        prop_assert_eq!(&recount.faults, &[]);
        let mut votes = recount.votes();
        votes.retain(|_, count| *count != 0);
        small.tally.votes.retain(|_, count| *count != 0);
        prop_assert_eq!(&small.tally.votes, &votes);
        prop_assert_eq!(small.tally.ledger.accepted, recount.accepted);
        prop_assert_eq!(small.tally.ledger.counted, recount.counted());
        prop_assert_eq!(small.tally.ledger.replaced, recount.replaced);
        prop_assert!(small.tally.ledger.balances());
        // The books balance over ballots. Votes are as many where each ballot has one, and not fewer where it has more.
        let votes: i64 = votes.values().sum();
        match method {
            Method::Plurality => prop_assert_eq!(votes, recount.counted() as i64),
            Method::Approval => prop_assert!(votes >= recount.counted() as i64),
        }
        prop_assert_eq!(small.tally.is_final, recount.sealed_at.is_some());
        if !changeable {
            prop_assert_eq!(recount.replaced, 0);
        }
        let ballots = small.ballots();
        for (voter, id, choice, place) in &small.told {
            prop_assert_eq!(ballots.get(place), Some(&(*voter, *id, choice.clone())), "told the truth");
        }
        let mut ids: Vec<_> = ballots.values().map(|(voter, id, _)| (*voter, *id)).collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), all, "a ballot lies in the log once");
    }
}
