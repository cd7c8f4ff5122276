//! Who is calling, by what the round's eligibility asks for.

use ::web::{Edge, Identity, IdentityFault, InviteFault, Problem};
use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use subjects::{Eligibility, ProgramVoters, Round};
use templates::Gate;

use crate::rules::{NotAdmitted, Shown, admits};

/// The header by which a program shows an invite.
const INVITE_HEADER: &str = "X-Invite";

/// As whom somebody votes who may.
#[derive(Debug)]
pub(super) enum Admitted {
    /// As the browser that this is.
    AsBrowser,
    /// As this voter, whatever the browser.
    As(Identity),
}

/// Why somebody may not vote.
#[derive(Debug)]
pub(super) enum Stopped {
    /// By the round's eligibility.
    NotEligible(NotAdmitted),
    /// The invite is not one of this round's.
    BadInvite(InviteFault),
    /// What they sent as the name of a voter cannot be one.
    BadVoterId(IdentityFault),
    /// They may be signed in or not.
    NotKnown(Problem),
}

/// Whether whoever casts a ballot may, and as whom: a program for the voter it names, or a person.
pub(super) async fn admit_ballot(
    edge: &Edge,
    request: &HttpRequest,
    round: &Round,
    invite: Option<&str>,
) -> Result<Admitted, Stopped> {
    if let Some(voter) = Identity::of_program(request).map_err(Stopped::BadVoterId)? {
        let by = match round.program_voters {
            ProgramVoters::Token => edge.callers.bearer(request).await.map_err(Stopped::NotKnown)?,
            ProgramVoters::No | ProgramVoters::Anyone => None,
        };
        let by = by.as_ref().map(|caller| &caller.person);
        admits(round, Shown::VoterId(by)).map_err(Stopped::NotEligible)?;
        return Ok(Admitted::As(voter));
    }
    let header = request.headers().get(INVITE_HEADER).and_then(|code| code.to_str().ok());
    admit(edge, request, round, invite.or(header)).await
}

/// Whether this person may vote, and as whom. Only an account is looked up, and only where the round asks for one.
pub(super) async fn admit(
    edge: &Edge,
    request: &HttpRequest,
    round: &Round,
    invite: Option<&str>,
) -> Result<Admitted, Stopped> {
    let invited = match (round.eligibility, invite) {
        (Eligibility::Invited, Some(code)) => {
            Some(edge.invites.identity(&round.id, code).map_err(Stopped::BadInvite)?)
        }
        _ => None,
    };
    let account = match round.eligibility {
        Eligibility::Account => edge.callers.caller(request).await.map_err(Stopped::NotKnown)?,
        Eligibility::Anyone | Eligibility::Invited => None,
    };
    let shown = match (&invited, &account) {
        (Some(_), _) => Shown::Invite,
        (None, Some(caller)) => Shown::Account(&caller.person.email),
        (None, None) => Shown::Browser,
    };
    admits(round, shown).map_err(Stopped::NotEligible)?;
    let known = invited.or_else(|| account.map(|caller| Identity::of_account(caller.person.user)));
    Ok(known.map_or(Admitted::AsBrowser, Admitted::As))
}

impl Stopped {
    /// What whoever cast the ballot is told.
    pub fn problem(self) -> Problem {
        let refused = |kind, title, detail| Problem::new(StatusCode::FORBIDDEN, kind, title, detail);
        match self {
            Self::NotEligible(NotAdmitted::ProgramVotersNotAllowed) => {
                let detail = "Programs cannot name voters in this round, by X-Voter-Id.";
                refused("program-voters-not-allowed", "Program voters not allowed", detail)
            }
            Self::NotEligible(NotAdmitted::TokenRequired) => {
                let detail = "To name voters in this round, a program needs an access token of its organiser or of an \
                              administrator: send Authorization: Bearer.";
                Problem::new(StatusCode::UNAUTHORIZED, "token-required", "Access token required", detail)
            }
            Self::NotEligible(NotAdmitted::NotYourRound) => {
                let detail =
                    "Only programs of the round's organiser or of an administrator can name voters in it.";
                Problem::not_your_round(detail)
            }
            Self::NotEligible(NotAdmitted::InviteNeeded) => {
                let detail = "This round needs an invite. Send its code with the ballot.";
                Problem::new(StatusCode::UNAUTHORIZED, "invite-required", "Invite required", detail)
            }
            Self::NotEligible(NotAdmitted::SignInNeeded) => Problem::sign_in_required(),
            Self::NotEligible(NotAdmitted::NotOnTheList) => {
                let detail = "Only e-mail addresses on the organiser's list may vote in this round, and yours is not on it.";
                refused("not-eligible", "Not eligible", detail)
            }
            Self::BadInvite(fault) => {
                let detail = format!("This code was not accepted: {fault}.");
                Problem::new(StatusCode::FORBIDDEN, "invalid-invite", "Invalid invite", detail)
            }
            Self::BadVoterId(fault) => Problem::unidentified_caller(&fault),
            Self::NotKnown(problem) => problem,
        }
    }

    /// What the page shows in place of the ballot.
    pub fn gate(&self) -> Gate {
        match self {
            Self::NotEligible(NotAdmitted::InviteNeeded) | Self::BadInvite(_) => Gate::Code,
            Self::NotEligible(NotAdmitted::SignInNeeded) => Gate::SignIn,
            Self::NotEligible(NotAdmitted::NotOnTheList) => Gate::NotOnTheList,
            Self::NotEligible(
                NotAdmitted::ProgramVotersNotAllowed | NotAdmitted::TokenRequired | NotAdmitted::NotYourRound,
            )
            | Self::BadVoterId(_) => Gate::Open,
            Self::NotKnown(problem) if problem.status() == StatusCode::UNAUTHORIZED => Gate::SignIn,
            Self::NotKnown(_) => Gate::SignInAway,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ::web::limits::Rates;
    use ::web::{Callers, Forms, Invites, Keys, Limits, Proxies, Redis, Sessions, Voted, VoterCookies};
    use actix_web::test::TestRequest;
    use nats::Clock;
    use subjects::{RoundId, RoundState, SessionId, Timestamp, UserId};

    use super::*;

    /// An edge whose Redis is away: nobody listens at this port.
    fn edge() -> Edge {
        let keys = Keys::new("a secret of this test".into(), None);
        let clock = Clock::from_fn(|| Timestamp::from_unix_millis(1_000).unwrap());
        let redis = Redis::new(&"redis://127.0.0.1:1".into(), tokio::runtime::Handle::current()).unwrap();
        let sessions = Sessions::new(redis, Duration::from_secs(60), clock.clone());
        Edge {
            cookies: VoterCookies::new(&keys, false),
            callers: Callers::new(&keys, sessions, clock.clone(), Duration::from_secs(60), false),
            forms: Forms::new(&keys),
            voted: Voted::new(&keys, false),
            invites: Invites::new(keys.clone()),
            limits: Limits::new(Rates::default(), keys, clock),
            proxies: Proxies::default(),
        }
    }

    fn round(eligibility: Eligibility) -> Round {
        Round {
            title: "Cats or dogs?".into(),
            eligibility,
            state: RoundState::Open,
            allow_changes: true,
            ..Round::blank(RoundId::parse("demo").unwrap())
        }
    }

    /// As whom a ballot is admitted; or the status by which it is turned away, and what the page shows then.
    async fn outcome(
        eligibility: Eligibility,
        request: TestRequest,
        invite: Option<&str>,
    ) -> Result<&'static str, (u16, Gate)> {
        let admitted = admit_ballot(&edge(), &request.to_http_request(), &round(eligibility), invite).await;
        match admitted {
            Ok(Admitted::AsBrowser) => Ok("browser"),
            Ok(Admitted::As(_)) => Ok("voter"),
            Err(stopped) => {
                let gate = stopped.gate();
                Err((stopped.problem().status().as_u16(), gate))
            }
        }
    }

    #[actix_web::test]
    async fn a_program_names_its_voter_only_where_anyone_may_vote() {
        let program = || TestRequest::default().insert_header(("X-Voter-Id", "member-17"));
        assert_eq!(outcome(Eligibility::Anyone, program(), None).await, Ok("voter"));
        let code = edge().invites.make(&RoundId::parse("demo").unwrap(), 1).remove(0);
        assert_eq!(outcome(Eligibility::Invited, program(), Some(&code)).await, Err((403, Gate::Open)));
        assert_eq!(outcome(Eligibility::Account, program(), None).await, Err((403, Gate::Open)));
        let malformed = TestRequest::default().insert_header(("X-Voter-Id", "a b"));
        assert_eq!(outcome(Eligibility::Anyone, malformed, None).await, Err((401, Gate::Open)));
        assert_eq!(outcome(Eligibility::Anyone, TestRequest::default(), None).await, Ok("browser"));
    }

    #[actix_web::test]
    async fn an_invite_counts_only_in_its_round_wherever_it_stands() {
        let of = |round: &str| edge().invites.make(&RoundId::parse(round).unwrap(), 1).remove(0);
        let (code, foreign) = (of("demo"), of("other"));
        let plain = TestRequest::default;
        assert_eq!(outcome(Eligibility::Invited, plain(), Some(&code)).await, Ok("voter"));
        let with_header = |code: &str| plain().insert_header((INVITE_HEADER, code));
        assert_eq!(outcome(Eligibility::Invited, with_header(&code), None).await, Ok("voter"));
        assert_eq!(outcome(Eligibility::Invited, plain(), None).await, Err((401, Gate::Code)));
        assert_eq!(outcome(Eligibility::Invited, plain(), Some("x")).await, Err((403, Gate::Code)));
        assert_eq!(outcome(Eligibility::Invited, plain(), Some(&foreign)).await, Err((403, Gate::Code)));
        assert_eq!(outcome(Eligibility::Account, plain(), Some(&code)).await, Err((401, Gate::SignIn)));
        assert_eq!(outcome(Eligibility::Anyone, plain(), Some("x")).await, Ok("browser"));
    }

    #[actix_web::test]
    async fn without_redis_nobody_votes_by_an_account_and_everybody_else_does() {
        let ends = Timestamp::from_unix_millis(60_000).unwrap();
        let tokens = edge().callers.tokens(UserId::random(), SessionId::random(), ends);
        let bearer =
            |token: &str| TestRequest::default().insert_header(("Authorization", format!("Bearer {token}")));
        let signed_in = || bearer(&tokens.access);
        assert_eq!(outcome(Eligibility::Account, signed_in(), None).await, Err((503, Gate::SignInAway)));
        assert_eq!(outcome(Eligibility::Account, bearer("x"), None).await, Err((401, Gate::SignIn)));
        assert_eq!(outcome(Eligibility::Anyone, signed_in(), None).await, Ok("browser"));
    }
}
