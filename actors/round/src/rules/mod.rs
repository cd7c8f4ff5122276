//! What may be done with a round, by whom and when. Pure: facts in, decision out.

mod demonstration;
mod edit;
mod option;
#[cfg(test)]
pub(crate) mod sample;
mod text;
mod wish;

pub use demonstration::{DEMONSTRATION, demonstration};
pub use option::{BadLink, LINK_MAX, Link, OPTION_DESCRIPTION_MAX, OPTIONS, OptionChange, OptionWish};
pub use text::{LONG_MAX, LongText, SHORT_MAX, ShortText, Unreadable};
pub use wish::{Birth, EMAILS_MAX, Invalid, Wish, Wrong};

use subjects::{Change, OptionId, Role, Round, RoundState, Timestamp, UserId};

/// What somebody wants done with a round that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Write something else in it.
    Edit(Wish),
    /// One more option, behind the others.
    AddOption(OptionWish),
    /// Say something else of an option.
    ChangeOption(OptionId, OptionChange),
    /// One option less.
    RemoveOption(OptionId),
    /// Let people vote.
    Open,
    /// Let nobody vote any more.
    Close,
}

/// Who wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A person with an account.
    Person(UserId, Role),
    /// Whoever runs this server.
    Operator,
    /// Nobody: the time has come that the round itself tells.
    Clock,
}

/// Why it is not done. The words are for whoever wants it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another's round, or nobody's.
    #[error("this round is not yours: only its organiser or an administrator may do this")]
    NotYours,
    /// It has begun, and keeps these fields as they are.
    #[error("this round has already opened and can no longer change its {}", words(.0))]
    Begun(Vec<&'static str>),
    /// It is open.
    #[error("this round is already open")]
    Open,
    /// It is closed.
    #[error("this round is closed")]
    Closed,
    /// Nobody could vote yet.
    #[error("this round was never open")]
    NeverOpen,
    /// There is nothing to choose between.
    #[error("this round must have at least {} options before it opens", OPTIONS.start())]
    TooFewOptions,
    /// It would close in the moment it opens.
    #[error("the closing time of this round has passed; change it before you open the round")]
    Over,
    /// The clock has nothing to do here yet.
    #[error("the time of this round has not come")]
    NotItsTime,
    /// No option of this name.
    #[error("this round has no option with this id")]
    NoSuchOption,
    /// It cannot be so.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// Fields as people read them.
fn words(fields: &[&str]) -> String {
    fields.join(", ").replace('_', " ")
}

/// Whether this is theirs to do.
///
/// # Errors
/// [`Refusal::NotYours`].
pub fn may_organise(round: &Round, by: By) -> Result<(), Refusal> {
    match by {
        By::Operator | By::Clock => Ok(()),
        By::Person(user, role) if round.is_run_by(user, role) => Ok(()),
        By::Person(..) => Err(Refusal::NotYours),
    }
}

/// The round with the deed done, and what to call that. It may be the round as it was.
///
/// # Errors
/// Any [`Refusal`].
pub fn decide(round: &Round, deed: &Deed, by: By, now: Timestamp) -> Result<(Change, Round), Refusal> {
    may_organise(round, by)?;
    match deed {
        Deed::Open => Ok((Change::Opened, open(round, by, now)?)),
        Deed::Close => Ok((Change::Closed, close(round, by, now)?)),
        Deed::Edit(wish) => Ok((Change::Edited, edit::edit(round, wish, now)?)),
        Deed::AddOption(_) | Deed::ChangeOption(..) | Deed::RemoveOption(_) => {
            Ok((Change::Edited, edit::edit_option(round, deed, now)?))
        }
    }
}

/// Whether an open round should have closed by itself at `now`.
pub fn is_over(round: &Round, now: Timestamp) -> bool {
    round.state == RoundState::Open && round.closes_at.is_some_and(|moment| moment <= now)
}

/// Whether a draft should have opened by itself at `now`.
pub fn is_due(round: &Round, now: Timestamp) -> bool {
    round.state == RoundState::Draft && round.opens_at.is_some_and(|moment| moment <= now)
}

/// The moment at which a round next changes by itself, if it ever does.
pub fn next_moment(round: &Round) -> Option<Timestamp> {
    match round.state {
        RoundState::Draft => round.opens_at,
        RoundState::Open => round.closes_at,
        RoundState::Closed => None,
    }
}

/// A round is opened by hand before its own time, or by the clock at that time. The clock opens it even when it is to
/// close at once, because nobody was there at its time: its history then says so.
fn open(round: &Round, by: By, now: Timestamp) -> Result<Round, Refusal> {
    let is_by_clock = by == By::Clock;
    match round.state {
        RoundState::Open => return Err(Refusal::Open),
        RoundState::Closed => return Err(Refusal::Closed),
        RoundState::Draft => {}
    }
    if is_by_clock && !is_due(round, now) {
        return Err(Refusal::NotItsTime);
    }
    if round.options.len() < *OPTIONS.start() {
        return Err(Refusal::TooFewOptions);
    }
    if !is_by_clock && round.closes_at.is_some_and(|moment| moment <= now) {
        return Err(Refusal::Over);
    }
    // What was to come has been overtaken.
    let opens_at = round.opens_at.filter(|moment| *moment <= now);
    let max_choices = round.max_choices.map(|max| max.min(round.options.len() as u32));
    Ok(Round { state: RoundState::Open, opens_at, max_choices, ..round.clone() })
}

fn close(round: &Round, by: By, now: Timestamp) -> Result<Round, Refusal> {
    match round.state {
        RoundState::Draft => Err(Refusal::NeverOpen),
        RoundState::Closed => Err(Refusal::Closed),
        // Somebody may have put it off in the meantime.
        RoundState::Open if by == By::Clock && !is_over(round, now) => Err(Refusal::NotItsTime),
        RoundState::Open => Ok(Round { state: RoundState::Closed, ..round.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::sample::{ANN, NOW, ann, at, does, round};
    use super::*;
    use subjects::Method;

    #[test]
    fn only_its_owner_and_administrators_organise_a_round() {
        let other = UserId::random();
        let owner = UserId::parse(ANN).unwrap();
        let board = round(RoundState::Draft);
        let may = |by| may_organise(&board, by);
        for by in [ann(), By::Person(other, Role::Admin), By::Operator, By::Clock] {
            assert_eq!(may(by), Ok(()), "{by:?}");
        }
        for by in [By::Person(other, Role::Organiser), By::Person(owner, Role::Voter)] {
            assert_eq!(may(by), Err(Refusal::NotYours), "{by:?}");
            assert_eq!(decide(&board, &Deed::Open, by, at(NOW)), Err(Refusal::NotYours));
        }
        let nobodys = Round { owner: None, ..board.clone() };
        assert_eq!(may_organise(&nobodys, ann()), Err(Refusal::NotYours));
        assert_eq!(may_organise(&nobodys, By::Person(other, Role::Admin)), Ok(()));
    }

    #[test]
    fn a_round_opens_once_by_hand_or_at_its_time() {
        let draft = round(RoundState::Draft);
        assert_eq!(does(&draft, &Deed::Open).unwrap().state, RoundState::Open);
        let too_many = Round { method: Method::Approval, max_choices: Some(3), ..draft.clone() };
        assert_eq!(does(&too_many, &Deed::Open).unwrap().max_choices, Some(2));
        assert_eq!(does(&round(RoundState::Open), &Deed::Open), Err(Refusal::Open));
        assert_eq!(does(&round(RoundState::Closed), &Deed::Open), Err(Refusal::Closed));
        let over = Round { closes_at: Some(at(NOW)), ..draft.clone() };
        assert_eq!(does(&over, &Deed::Open), Err(Refusal::Over));

        let by_clock = |round: &Round| decide(round, &Deed::Open, By::Clock, at(NOW)).map(|(_, round)| round);
        assert_eq!(by_clock(&draft), Err(Refusal::NotItsTime));
        let later = Round { opens_at: Some(at(NOW + 1)), ..draft };
        assert!(!is_due(&later, at(NOW)) && by_clock(&later).is_err());
        assert_eq!(does(&later, &Deed::Open).unwrap().opens_at, None);
        let due = Round { opens_at: Some(at(NOW)), ..over };
        assert!(is_due(&due, at(NOW)));
        assert_eq!(by_clock(&due).unwrap().opens_at, Some(at(NOW)));
    }

    #[test]
    fn a_round_closes_once_and_the_clock_closes_no_round_that_was_put_off() {
        let open = Round { closes_at: Some(at(NOW)), ..round(RoundState::Open) };
        let by_clock =
            |round: &Round| decide(round, &Deed::Close, By::Clock, at(NOW)).map(|(_, round)| round);
        assert!(is_over(&open, at(NOW)) && !is_over(&open, at(NOW - 1)));
        let closed = by_clock(&open).unwrap();
        assert_eq!(closed.state, RoundState::Closed);
        assert!(!is_over(&closed, at(NOW)));
        assert_eq!(does(&closed, &Deed::Close), Err(Refusal::Closed));
        assert_eq!(does(&round(RoundState::Draft), &Deed::Close), Err(Refusal::NeverOpen));
        let put_off = Round { closes_at: Some(at(NOW + 1)), ..open };
        assert_eq!(by_clock(&put_off), Err(Refusal::NotItsTime));
        assert!(does(&put_off, &Deed::Close).is_ok());
    }

    #[test]
    fn a_round_next_changes_at_its_next_moment() {
        let moments = |state| {
            let round = Round { opens_at: Some(at(1)), closes_at: Some(at(2)), ..round(state) };
            next_moment(&round).map(Timestamp::unix_millis)
        };
        let states = [RoundState::Draft, RoundState::Open, RoundState::Closed];
        assert_eq!(states.map(moments), [Some(1), Some(2), None]);
    }
}
