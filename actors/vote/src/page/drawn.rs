//! The page of a round, as whoever asks for it sees it.

use ::web::{Identity, page};
use actix_web::cookie::Cookie;
use actix_web::{HttpRequest, HttpResponse};
use subjects::{Eligibility, OptionOrder, Round, RoundId, RoundOption, RoundState};
use templates::{
    Gate, Preview, RoundHead, Schedule, VoteOption, VotePage, eligibility_description, picture_address,
};

use super::caller::{Admitted, Stopped, admit};
use crate::Vote;
use crate::rules::{Standing, max_choices};

/// A page, and the cookie without which its form could not be sent.
pub(super) struct Drawn {
    pub page: VotePage,
    pub minted: Option<Cookie<'static>>,
}

/// Whom the page is for, as far as the round's eligibility goes.
struct Seen {
    gate: Gate,
    identity: Option<Identity>,
    invite_problem: Option<String>,
}

impl Drawn {
    /// The page of `round` for whoever sends `request`, with the code of their invite if they have one.
    pub async fn of(vote: &Vote, request: &HttpRequest, round: &Round, invite: Option<&str>) -> Self {
        let edge = &vote.given.edge;
        let browser = edge.browser(request);
        let seen = match admit(edge, request, round, invite).await {
            Ok(Admitted::As(identity)) => Seen::as_voter(Some(identity)),
            Ok(Admitted::AsBrowser) => Seen::as_voter(browser.identity),
            // Nobody can vote, so nobody need show anything.
            Err(_) if round.state != RoundState::Open => Seen::as_voter(None),
            Err(stopped) => Seen::before_the_gate(stopped),
        };
        let standing = match &seen.identity {
            Some(identity) => standing_of(vote, &round.id, identity).await,
            None => None,
        };
        let shown_to = seen.identity.as_ref().unwrap_or(&browser.known_as);
        let page = VotePage {
            visitor: edge.callers.visitor(request).await,
            round: RoundHead { id: round.id.to_string(), title: round.title.clone(), state: round.state },
            schedule: Schedule::of(round, vote.given.clock.now()),
            preview: Preview::of(&edge.proxies.base_url(request), &format!("/vote/{}", round.id), round),
            description: round.description.clone(),
            eligibility_description: eligibility_description(
                round.eligibility,
                round.program_voters,
                !round.allowed_emails.is_empty(),
            ),
            gate: seen.gate,
            csrf: browser.csrf,
            invite: invite.filter(|_| round.eligibility == Eligibility::Invited).map(str::to_owned),
            invite_problem: seen.invite_problem,
            options: options(round, shown_to, standing.as_ref()),
            max_choices: max_choices(round),
            allow_changes: round.allow_changes,
            receipt: standing.map(|standing| standing.place.receipt(&round.id)),
            just_voted: false,
            problem: None,
        };
        Self { page, minted: browser.minted }
    }

    /// The response that shows it.
    pub fn respond(self, request: &HttpRequest) -> HttpResponse {
        let mut response = page(request, self.page.render());
        if let Some(cookie) = self.minted {
            // Fails only for a cookie that cannot be a header, and ours always can.
            let _ = response.add_cookie(&cookie);
        }
        response
    }
}

impl Seen {
    fn as_voter(identity: Option<Identity>) -> Self {
        Self { gate: Gate::Open, identity, invite_problem: None }
    }

    fn before_the_gate(stopped: Stopped) -> Self {
        let gate = stopped.gate();
        let is_about_invite = matches!(stopped, Stopped::BadInvite(_));
        let invite_problem = is_about_invite.then(|| stopped.problem().detail().to_owned());
        Self { gate, identity: None, invite_problem }
    }
}

async fn standing_of(vote: &Vote, round: &RoundId, identity: &Identity) -> Option<Standing> {
    let (key, open) = (vote.key(round)?, vote.open_box(round)?);
    open.find(identity.voter(&key)).await
}

/// The options in the order in which whoever looks at them is shown them, each time the same.
fn options(round: &Round, shown_to: &Identity, standing: Option<&Standing>) -> Vec<VoteOption> {
    let mut options: Vec<&RoundOption> = round.options.iter().collect();
    if round.option_order == OptionOrder::Shuffled {
        options.sort_by_cached_key(|option| shown_to.lot(&round.id, &option.id));
    }
    let chosen = standing.map(|standing| standing.choice.0.as_slice()).unwrap_or_default();
    let shown = |option: &RoundOption| VoteOption {
        id: option.id.to_string(),
        label: option.label.clone(),
        description: option.description.clone(),
        link: option.link.clone(),
        picture: picture_address(&round.id, option),
        chosen: chosen.contains(&option.id),
        in_box: chosen.contains(&option.id),
    };
    options.into_iter().map(shown).collect()
}
