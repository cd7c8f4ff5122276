//! `GET /rounds/{id}/events`: the results as they move, for whoever may see them, and where the round stands, for
//! everybody.
//!
//! Whether somebody may see the results is asked anew for each event: of the round as it was when the event was drawn,
//! and of whoever runs the round whether they still do. While that cannot be told, their stream is silent.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::LazyLock;
use std::time::Duration;

use ::web::{Away, Caller, Callers, Problem, field_error};
use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::stream;
use metrics::{Counter, counter, gauge};
use nats::{Clock, Monotonic};
use subjects::Round;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::answer;
use super::export::query;
use crate::rules::Shown;
use crate::rules::sight::{self, Viewer};
use crate::{Handle, Watched};

/// After how long a browser that lost the connection comes back, in milliseconds, as the first line of a stream.
const RETRY: &[u8] = b"retry: 2000\n\n";
/// Keeps proxies from closing a quiet stream.
const PING: &[u8] = b": still here\n\n";
/// How often.
const PING_EVERY: Duration = Duration::from_secs(15);
/// For how long somebody is believed to run a round without being asked again, and how long after it could not be told
/// they are.
const BELIEVED_FOR: Duration = Duration::from_secs(1);

/// Looked up once: it is counted for every event and watcher.
static EVENTS_SENT: LazyLock<Counter> = LazyLock::new(|| counter!("urna_result_events_sent_total"));

/// What a stream is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// The results, as far as this viewer sees them.
    Mine,
    /// The results, as far as everybody sees them; to whoever runs the round at least how many have voted.
    Public,
    /// Where the round stands.
    Round,
}

/// What an event may tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Result,
    Turnout,
    Stage,
}

pub(super) async fn events(results: Data<Handle>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    answer(&request, async {
        let asked = Asked::by(&request)?;
        let watched = results.find(&id).await?;
        let watcher = Watcher::begin(&results, &request, watched, asked).await?;
        Ok(HttpResponse::Ok()
            .content_type("text/event-stream")
            .insert_header((header::CACHE_CONTROL, "no-cache, no-transform"))
            // Proxies that buffer would hold events back.
            .insert_header(("X-Accel-Buffering", "no"))
            .streaming(watcher.stream()))
    })
    .await
}

impl Asked {
    fn by(request: &HttpRequest) -> Result<Self, Problem> {
        match (query(request, "only").as_deref(), query(request, "view").as_deref()) {
            (None, None) => Ok(Self::Mine),
            (None, Some("public")) => Ok(Self::Public),
            (Some("round"), None) => Ok(Self::Round),
            (Some(_), _) => {
                Err(Problem::invalid(vec![field_error("only", "must be round, and stands alone")]))
            }
            (None, Some(_)) => Err(Problem::invalid(vec![field_error("view", "must be public")])),
        }
    }

    /// What may be told of `round` now.
    fn part(self, round: &Round, viewer: Viewer) -> Part {
        match self {
            Self::Round => Part::Stage,
            Self::Mine if sight::sees(round, viewer) => Part::Result,
            Self::Mine => Part::Stage,
            Self::Public if round.shows_results_to_all() => Part::Result,
            Self::Public if viewer == Viewer::Organiser => Part::Turnout,
            Self::Public => Part::Stage,
        }
    }
}

/// Who watches.
struct Looker {
    callers: Callers,
    clock: Clock,
    organiser: Option<Caller>,
    asked_at: Monotonic,
    /// Whether it could not be told then who they are.
    is_in_doubt: bool,
    /// Who they are when they do not run the round.
    otherwise: Viewer,
}

impl Looker {
    /// Who it is now. Whoever runs a hidden round is asked for again, since a session may end under a stream.
    ///
    /// # Errors
    /// [`Away`] while it cannot be told whether they still run it. They may have been signed out a moment before, so
    /// nothing hidden is for them; but most likely they were not, so they are asked for again and not forgotten.
    async fn viewer(&mut self, round: &Round) -> Result<Viewer, Away> {
        if round.shows_results_to_all() {
            return Ok(Viewer::Anybody);
        }
        let Some(caller) = &self.organiser else { return Ok(self.otherwise) };
        if self.clock.monotonic().since(self.asked_at) > BELIEVED_FOR {
            let told = self.callers.still(caller).await;
            self.asked_at = self.clock.monotonic();
            self.is_in_doubt = told.is_err();
            if let Ok(now) = told {
                self.organiser = now.filter(|now| round.is_run_by(now.person.user, now.person.role));
            }
        }
        match &self.organiser {
            Some(_) if self.is_in_doubt => Err(Away),
            Some(_) => Ok(Viewer::Organiser),
            None => Ok(self.otherwise),
        }
    }
}

/// One browser that watches. It holds no bytes: it takes the newest when it can take any.
struct Watcher {
    watched: Watched,
    looker: Looker,
    asked: Asked,
    /// What was told last, or could have been.
    part: Part,
    /// Whether something waits to be told until it is known again who watches.
    is_held_back: bool,
    // Both are waited for all the time: beginning anew with every event would cost more than the event.
    pings: Interval,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
    greeted: bool,
}

impl Watcher {
    async fn begin(
        results: &Handle,
        request: &HttpRequest,
        mut watched: Watched,
        asked: Asked,
    ) -> Result<Self, Problem> {
        let shown = watched.shown.borrow().clone();
        let may_matter =
            asked != Asked::Round && shown.round.results_visibility != subjects::ResultsVisibility::Always;
        let organiser = if may_matter { results.organiser(request, &shown.round).await? } else { None };
        let callers = results.given.edge.callers.clone();
        let otherwise = results.voter(request, &shown.round);
        let viewer = if organiser.is_some() { Viewer::Organiser } else { otherwise };
        let clock = results.given.clock.clone();
        let asked_at = clock.monotonic();
        let looker = Looker { callers, clock, organiser, asked_at, is_in_doubt: false, otherwise };
        let part = asked.part(&shown.round, viewer);
        watched.stage.mark_changed();
        if part == Part::Result && has_newest(request, &shown) {
            watched.shown.mark_unchanged();
        } else {
            watched.shown.mark_changed();
        }
        gauge!("urna_result_watchers").increment(1);
        let closing = Box::pin(results.given.closing.clone().cancelled_owned());
        let pings = pings();
        Ok(Self { watched, looker, asked, part, is_held_back: false, pings, closing, greeted: false })
    }

    fn stream(self) -> impl stream::Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut watcher| async move {
            let bytes = watcher.next().await?;
            Some((Ok(bytes), watcher))
        })
    }

    /// The next bytes to send; `None` when the stream ends.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.greeted {
            self.greeted = true;
            return Some(Bytes::from_static(RETRY));
        }
        let waits_for_stage = self.part == Part::Stage;
        loop {
            tokio::select! {
                // Counts first: ten thousand watchers are mostly woken by them, and need not look at the rest.
                biased;
                changed = self.watched.shown.changed(), if !waits_for_stage => changed.ok()?,
                changed = self.watched.stage.changed(), if waits_for_stage => changed.ok()?,
                () = until_asked_again(), if self.is_held_back => {}
                _ = self.pings.tick() => return Some(Bytes::from_static(PING)),
                () = &mut self.closing => return None,
            }
            let told = self.tell().await;
            self.is_held_back = told.is_none();
            if told.is_some() {
                EVENTS_SENT.increment(1);
                return told;
            }
        }
    }

    /// What may be told of what is shown now; nothing while it is not known to whom. To tell less in the meantime would
    /// send the organiser's page away from the results, and nothing would lead it back.
    async fn tell(&mut self) -> Option<Bytes> {
        self.watched.stage.mark_unchanged();
        // Taken together: who may see it is asked of the very round that it is of.
        let shown = {
            let shown = self.watched.shown.borrow_and_update();
            if self.part == Part::Result && shown.round.shows_results_to_all() {
                return Some(shown.event.clone());
            }
            shown.clone()
        };
        let viewer = self.looker.viewer(&shown.round).await.ok()?;
        self.part = self.asked.part(&shown.round, viewer);
        Some(match self.part {
            Part::Result => shown.event,
            Part::Turnout => shown.turnout,
            Part::Stage => shown.stage,
        })
    }
}

/// The moments of pings, the first of them when nothing has been sent for a while.
fn pings() -> Interval {
    let mut pings = interval(PING_EVERY);
    pings.reset();
    // A browser that was slow for a minute needs one ping, not four.
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings
}

/// Begins to wait when it is first polled, so it costs nothing where nobody is in doubt.
async fn until_asked_again() {
    sleep(BELIEVED_FOR).await;
}

impl Drop for Watcher {
    fn drop(&mut self) {
        gauge!("urna_result_watchers").decrement(1);
    }
}

/// Whether the browser says that it has seen what is shown now. Only the counts carry an id: what was shown in
/// another form under the same id is sent again.
fn has_newest(request: &HttpRequest, shown: &Shown) -> bool {
    let last = request.headers().get("Last-Event-ID").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    // Where a recount was put in place, the same sequence may have had other counts.
    !shown.is_told_anew && shown.view.generation == 0 && last == Some(shown.view.sequence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::web::{Keys, Redis, Sessions};
    use nats::Now;
    use std::sync::Arc;
    use subjects::{Email, Person, ResultsVisibility, Role, RoundId, RoundState, SessionId, UserId};
    use templates::Counting;
    use tokio::runtime::Handle;
    use tokio::sync::watch;
    use tokio_util::sync::CancellationToken;

    use crate::rules::View;

    fn shown(state: RoundState, owner: UserId) -> Shown {
        let blank = Round::blank(RoundId::parse("board").unwrap());
        let round =
            Round { state, owner: Some(owner), results_visibility: ResultsVisibility::AfterClose, ..blank };
        View::of(&round, None, Counting::Current).shown(Arc::new(round))
    }

    /// Somebody who runs the round and must be asked for again, while Redis is away.
    fn organiser(user: UserId) -> Looker {
        let keys = Keys::new("a secret of this test".into(), None);
        let nowhere = Redis::new(&"redis://127.0.0.1:1".into(), Handle::current()).unwrap();
        let sessions = Sessions::new(nowhere, Duration::from_secs(60), Clock::system());
        let callers = Callers::new(&keys, sessions, Clock::system(), Duration::from_secs(60), false);
        let email = Email::parse("olga@example.org").unwrap();
        let person = Person { user, name: "Olga".into(), email, role: Role::Organiser };
        let organiser = Some(Caller { person, session: SessionId::random() });
        let (wall, later) = (Clock::system().now(), Monotonic::default() + 2 * BELIEVED_FOR);
        let clock = Clock::from_moments(move || Now { wall, monotonic: later });
        let asked_at = Monotonic::default();
        Looker { callers, clock, organiser, asked_at, is_in_doubt: false, otherwise: Viewer::Anybody }
    }

    #[actix_web::test]
    async fn an_organisers_stream_is_silent_while_it_cannot_be_told_who_she_is() {
        let olga = UserId::random();
        let (show, shown_to_her) = watch::channel(shown(RoundState::Open, olga));
        let (_stage, stage) = watch::channel(());
        let mut watcher = Watcher {
            watched: Watched { shown: shown_to_her, stage },
            looker: organiser(olga),
            asked: Asked::Mine,
            part: Part::Result,
            is_held_back: false,
            pings: pings(),
            closing: Box::pin(CancellationToken::new().cancelled_owned()),
            greeted: true,
        };
        assert_eq!(watcher.tell().await, None, "neither the counts nor that they are hidden");
        assert!(watcher.looker.organiser.is_some(), "she is not forgotten");
        watcher.watched.shown.mark_changed();
        let told = tokio::time::timeout(Duration::from_millis(50), watcher.next()).await;
        assert!(told.is_err() && watcher.is_held_back, "{told:?}");
        // What everybody may see does not hang on who they are.
        show.send_replace(shown(RoundState::Closed, olga));
        let told = watcher.next().await.unwrap();
        assert!(told.starts_with(b"id: 0\nevent: result\n"), "{told:?}");
        assert!(!watcher.is_held_back);
    }
}
