//! What an organiser wants a round to be, and whether it can be.

use std::fmt;

use subjects::{
    Eligibility, EmailRule, Method, OptionOrder, ProgramVoters, ResultsVisibility, Round, RoundId,
    RoundState, Timestamp, UserId,
};

use super::option::{OPTIONS, OptionWish, must_be_whole, options, wrong_options};
use super::text::{LongText, ShortText};

/// How many addresses and domains a round may be limited to.
pub const EMAILS_MAX: usize = 1_000;

/// The fields of a round that an organiser writes. What is not there stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The question.
    pub title: Option<ShortText>,
    /// What else there is to know.
    pub description: Option<LongText>,
    /// All that can be chosen, in the organiser's order.
    pub options: Option<Vec<OptionWish>>,
    /// In which order a voter is shown them.
    pub option_order: Option<OptionOrder>,
    /// How a choice is made. Another method than approval has no `max_choices`.
    pub method: Option<Method>,
    /// How many options an approval ballot may name; all of them, inside.
    pub max_choices: Option<Option<u32>>,
    /// Who may vote.
    pub eligibility: Option<Eligibility>,
    /// Which programs may name voters. An eligibility that changes brings its own: every program where anyone may vote.
    pub program_voters: Option<ProgramVoters>,
    /// Who of those with an account.
    pub allowed_emails: Option<Vec<EmailRule>>,
    /// Whether a ballot may be changed.
    pub allow_changes: Option<bool>,
    /// When its results are shown, and to whom.
    pub results_visibility: Option<ResultsVisibility>,
    /// Whether other sites may show its results in a frame.
    pub allow_embedding: Option<bool>,
    /// When it opens by itself; never, inside.
    pub opens_at: Option<Option<Timestamp>>,
    /// When it closes by itself; never, inside.
    pub closes_at: Option<Option<Timestamp>>,
}

/// One field that is wrong. The words complete "`<field>` …".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Its path, such as `options[3].label`.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

/// A round that cannot be: every field that is wrong. The words are for its organiser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(pub Vec<Wrong>);

/// A round that is to be made: its name and whose it is, and the state it is to begin in. Without one, it is open from
/// the start, or a draft when it opens by itself later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Its name.
    pub id: RoundId,
    /// Its organiser.
    pub owner: Option<UserId>,
    /// The state to begin in.
    pub state: Option<RoundState>,
}

impl Wish {
    /// The round that is made from this wish alone.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn make(&self, birth: &Birth, now: Timestamp) -> Result<Round, Invalid> {
        let opens_later = self.opens_at.flatten().is_some_and(|moment| moment > now);
        let state = birth.state.unwrap_or(if opens_later { RoundState::Draft } else { RoundState::Open });
        let blank = Round { state, ..blank(birth) };
        let round = self.laid_over(&blank);
        let mut wrong = self.wrong(&round, now);
        if self.title.is_none() {
            wrong.insert(0, of("title", "is missing"));
        }
        match state {
            RoundState::Open if opens_later => {
                wrong.push(of("state", "cannot be open while opens_at lies ahead"));
            }
            RoundState::Closed => wrong.push(of("state", "must be draft or open")),
            RoundState::Draft | RoundState::Open => {}
        }
        if wrong.is_empty() { Ok(round) } else { Err(Invalid(wrong)) }
    }

    /// The round as it would be with this wish fulfilled.
    pub(super) fn laid_over(&self, round: &Round) -> Round {
        let eligibility = self.eligibility.unwrap_or(round.eligibility);
        let eligibilitys_own = match eligibility {
            _ if eligibility == round.eligibility => round.program_voters,
            Eligibility::Anyone => ProgramVoters::Anyone,
            Eligibility::Invited | Eligibility::Account => ProgramVoters::No,
        };
        let method = self.method.unwrap_or(round.method);
        let methods_own = round.max_choices.filter(|_| method == Method::Approval);
        let text = |new: Option<&str>, old: &str| new.unwrap_or(old).to_owned();
        Round {
            title: text(self.title.as_ref().map(ShortText::as_str), &round.title),
            description: text(self.description.as_ref().map(LongText::as_str), &round.description),
            options: match &self.options {
                Some(wishes) => options(wishes, &round.options),
                None => round.options.clone(),
            },
            option_order: self.option_order.unwrap_or(round.option_order),
            method,
            max_choices: self.max_choices.unwrap_or(methods_own),
            eligibility,
            program_voters: self.program_voters.unwrap_or(eligibilitys_own),
            allowed_emails: self.allowed_emails.clone().unwrap_or_else(|| round.allowed_emails.clone()),
            allow_changes: self.allow_changes.unwrap_or(round.allow_changes),
            results_visibility: self.results_visibility.unwrap_or(round.results_visibility),
            allow_embedding: self.allow_embedding.unwrap_or(round.allow_embedding),
            opens_at: self.opens_at.unwrap_or(round.opens_at),
            closes_at: self.closes_at.unwrap_or(round.closes_at),
            ..round.clone()
        }
    }

    /// What is wrong with `round`, which is this wish laid over another.
    pub(super) fn wrong(&self, round: &Round, now: Timestamp) -> Vec<Wrong> {
        let mut wrong = wrong_options(round);
        wrong.extend(wrong_most(round));
        if round.program_voters != ProgramVoters::No && round.eligibility != Eligibility::Anyone {
            wrong.push(of("program_voters", "must be no unless anyone may vote"));
        }
        if !round.allowed_emails.is_empty() && round.eligibility != Eligibility::Account {
            wrong.push(of("allowed_emails", "can only be set with the eligibility account"));
        }
        if round.allowed_emails.len() > EMAILS_MAX {
            let many = format!("must be at most {EMAILS_MAX}, not {}", round.allowed_emails.len());
            wrong.push(of("allowed_emails", many));
        }
        let is_past =
            |wished: Option<Option<Timestamp>>| wished.flatten().is_some_and(|moment| moment <= now);
        if round.state == RoundState::Draft && is_past(self.opens_at) {
            wrong.push(of("opens_at", "must lie ahead"));
        }
        let is_before = round.opens_at.zip(round.closes_at).is_some_and(|(opens, closes)| closes <= opens);
        if is_past(self.closes_at) {
            wrong.push(of("closes_at", "must lie ahead"));
        } else if is_before && (self.opens_at.is_some() || self.closes_at.is_some()) {
            wrong.push(of("closes_at", "must be later than opens_at"));
        }
        wrong
    }
}

/// A round of which nothing is said yet.
pub(super) fn blank(birth: &Birth) -> Round {
    Round { owner: birth.owner, ..Round::blank(birth.id.clone()) }
}

/// More than there are options is wrong in a round that is written. In one that still is, there may be more to come.
fn wrong_most(round: &Round) -> Option<Wrong> {
    let max_choices = round.max_choices?;
    if round.method != Method::Approval {
        return Some(of("max_choices", "can only be set with the method approval"));
    }
    let there = if must_be_whole(round) { round.options.len() } else { *OPTIONS.end() };
    let fits = max_choices >= 1 && max_choices as usize <= there;
    (!fits).then(|| of("max_choices", format!("must be 1 to {there}, not {max_choices}")))
}

pub(super) fn of(field: &str, why: impl Into<String>) -> Wrong {
    Wrong { field: field.to_owned(), why: why.into() }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, wrong) in self.0.iter().enumerate() {
            let between = if place == 0 { "" } else { "; " };
            write!(f, "{between}{} {}", wrong.field, wrong.why)?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

#[cfg(test)]
mod tests {
    use super::*;
    use subjects::OptionId;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis).unwrap()
    }

    fn wishes(labels: &[&str]) -> Vec<OptionWish> {
        let wish = |label: &&str| OptionWish::labelled(ShortText::parse(label).unwrap());
        labels.iter().map(wish).collect()
    }

    fn board() -> Wish {
        Wish {
            title: Some(ShortText::parse("Board").unwrap()),
            options: Some(wishes(&["Ann", "Bob"])),
            ..Wish::default()
        }
    }

    fn make(wish: &Wish, state: Option<RoundState>) -> Result<Round, String> {
        let birth = Birth { id: RoundId::parse("board").unwrap(), owner: Some(UserId::random()), state };
        wish.make(&birth, at(1_000)).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn a_round_of_a_title_and_options_is_open_for_programs_too() {
        let round = make(&board(), None).unwrap();
        assert_eq!(
            (round.state, round.eligibility, round.program_voters),
            (RoundState::Open, Eligibility::Anyone, ProgramVoters::Anyone)
        );
        assert!(!round.allow_changes && round.owner.is_some());
        let invited = Wish { eligibility: Some(Eligibility::Invited), ..board() };
        assert_eq!(make(&invited, None).unwrap().program_voters, ProgramVoters::No);
        assert_eq!(make(&board(), Some(RoundState::Draft)).unwrap().state, RoundState::Draft);
    }

    #[test]
    fn a_round_that_opens_later_begins_as_a_draft() {
        let later = Wish { opens_at: Some(Some(at(1_001))), ..board() };
        assert_eq!(make(&later, None).unwrap().state, RoundState::Draft);
        let open = make(&later, Some(RoundState::Open)).unwrap_err();
        assert_eq!(open, "state cannot be open while opens_at lies ahead");
        let earlier = Wish { opens_at: Some(Some(at(1_000))), ..board() };
        assert_eq!(make(&earlier, None).unwrap().state, RoundState::Open);
        assert_eq!(make(&earlier, Some(RoundState::Draft)).unwrap_err(), "opens_at must lie ahead");
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        let all = Wish {
            options: Some(wishes(&["Ann"])),
            eligibility: Some(Eligibility::Invited),
            program_voters: Some(ProgramVoters::Anyone),
            allowed_emails: Some(vec![EmailRule::parse("@example.org").unwrap()]),
            closes_at: Some(Some(at(999))),
            ..Wish::default()
        };
        assert_eq!(
            make(&all, None).unwrap_err(),
            "title is missing; options must be 2 to 100, not 1; program_voters must be no unless anyone may vote; \
             allowed_emails can only be set with the eligibility account; closes_at must lie ahead"
        );
        let times = Wish { opens_at: Some(Some(at(2_000))), closes_at: Some(Some(at(2_000))), ..board() };
        assert_eq!(make(&times, None).unwrap_err(), "closes_at must be later than opens_at");
        assert_eq!(make(&board(), Some(RoundState::Closed)).unwrap_err(), "state must be draft or open");
    }

    #[test]
    fn an_approval_ballot_names_one_option_to_all_of_them() {
        let with = |method, max_choices| Wish { method, max_choices: Some(max_choices), ..board() };
        let approval = Some(Method::Approval);
        assert_eq!(make(&with(approval, Some(2)), None).unwrap().max_choices, Some(2));
        assert_eq!(make(&with(approval, None), None).unwrap().max_choices, None);
        assert_eq!(make(&with(None, None), None).unwrap().method, Method::Plurality);
        for wrong in [0, 3] {
            let why = make(&with(approval, Some(wrong)), None).unwrap_err();
            assert_eq!(why, format!("max_choices must be 1 to 2, not {wrong}"));
        }
        let draft = make(&with(approval, Some(3)), Some(RoundState::Draft)).unwrap();
        assert_eq!(draft.max_choices, Some(3));
        let why = make(&with(None, Some(1)), None).unwrap_err();
        assert_eq!(why, "max_choices can only be set with the method approval");
        let plurality = Wish { method: Some(Method::Plurality), ..Wish::default() };
        assert_eq!(plurality.laid_over(&draft).max_choices, None);
    }

    #[test]
    fn options_are_as_many_as_a_round_may_have_and_no_two_look_the_same() {
        let with = |options| Wish { options, ..board() };
        let many: Vec<String> = (0..=100).map(|number| format!("Option {number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(make(&with(Some(wishes(&many))), None).unwrap_err(), "options must be 2 to 100, not 101");
        assert_eq!(make(&with(Some(wishes(&many[..100]))), None).unwrap().options.len(), 100);
        assert!(make(&with(None), None).is_err());
        assert!(make(&with(None), Some(RoundState::Draft)).is_ok());
        let same = make(&with(Some(wishes(&["Ann", "Bob", "An\u{200d}n"]))), None).unwrap_err();
        assert_eq!(same, "options[2].label looks the same as that of another option");
        let mut named = wishes(&["Ann", "Bob"]);
        named[0].id = Some(OptionId::parse("bob").unwrap());
        let round = make(&with(Some(named.clone())), None).unwrap();
        assert_eq!((round.options[0].id.as_str(), round.options[1].id.as_str()), ("bob", "bob-2"));
        named[1].id = named[0].id.clone();
        assert_eq!(make(&with(Some(named)), None).unwrap_err(), "options[1].id is the id of another option");
    }

    #[test]
    fn a_renamed_option_keeps_its_id_and_an_eligibility_its_program_voters() {
        let mut named = wishes(&["Ann", "Bob"]);
        named[0].id = Some(OptionId::parse("incumbent").unwrap());
        let draft = make(&Wish { options: Some(named), ..board() }, Some(RoundState::Draft)).unwrap();
        let again = Wish { options: Some(wishes(&["Eve", "Ann"])), ..Wish::default() }.laid_over(&draft);
        let ids: Vec<_> = again.options.iter().map(|option| option.id.as_str()).collect();
        assert_eq!(ids, ["eve", "incumbent"]);
        let program_voters = |eligibility, round: &Round| {
            Wish { eligibility: Some(eligibility), ..Wish::default() }.laid_over(round).program_voters
        };
        assert_eq!(program_voters(Eligibility::Account, &draft), ProgramVoters::No);
        let browsers = Wish { program_voters: Some(ProgramVoters::No), ..Wish::default() }.laid_over(&draft);
        assert_eq!(program_voters(Eligibility::Anyone, &browsers), ProgramVoters::No);
    }
}
