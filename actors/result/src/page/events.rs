//! `GET /rounds/{id}/events`: the results as they move, for whoever may see them, and where the round stands, for
//! everybody.
//!
//! Whether somebody may see the results is asked anew for each event: of the round as it was when the event was drawn,
//! and of whoever runs the round whether they still do.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use ::web::{Caller, Callers, Problem, field_error};
use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::stream;
use metrics::{Counter, counter, gauge};
use subjects::Round;
use tokio::time::{Interval, MissedTickBehavior, interval_at};
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
/// For how long somebody is believed to run a round without being asked again.
const BELIEVED_FOR: Duration = Duration::from_secs(1);

/// Looked up once: it is counted for every event and watcher.
static EVENTS_SENT: LazyLock<Counter> = LazyLock::new(|| counter!("urna_result_events_sent_total"));

/// What a stream is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// The results, as far as this viewer sees them.
    Mine,
    /// The results, as far as everybody sees them; to whoever runs the round at least how many have voted.
    Everybodys,
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
        match (query(request, "only").as_deref(), query(request, "as").as_deref()) {
            (None, None) => Ok(Self::Mine),
            (None, Some("everybody")) => Ok(Self::Everybodys),
            (Some("round"), None) => Ok(Self::Round),
            (Some(_), _) => {
                Err(Problem::invalid(vec![field_error("only", "must be round, and stands alone")]))
            }
            (None, Some(_)) => Err(Problem::invalid(vec![field_error("as", "must be everybody")])),
        }
    }

    /// What may be told of `round` now.
    fn part(self, round: &Round, viewer: Viewer) -> Part {
        match self {
            Self::Round => Part::Stage,
            Self::Mine if sight::sees(round, viewer) => Part::Result,
            Self::Mine => Part::Stage,
            Self::Everybodys if round.shows_results_to_all() => Part::Result,
            Self::Everybodys if viewer == Viewer::Organiser => Part::Turnout,
            Self::Everybodys => Part::Stage,
        }
    }
}

/// Who watches.
struct Looker {
    callers: Callers,
    organiser: Option<Caller>,
    asked_at: Instant,
    /// Who they are when they do not run the round.
    otherwise: Viewer,
}

impl Looker {
    /// Who it is now. Whoever runs a hidden round is asked for again, since a session may end under a stream.
    async fn viewer(&mut self, round: &Round) -> Viewer {
        if round.shows_results_to_all() {
            return Viewer::Anybody;
        }
        let Some(caller) = &self.organiser else { return self.otherwise };
        if self.asked_at.elapsed() > BELIEVED_FOR {
            let now = self.callers.still(caller).await;
            self.organiser = now.filter(|now| round.is_run_by(now.person.user, now.person.role));
            self.asked_at = Instant::now();
        }
        if self.organiser.is_some() { Viewer::Organiser } else { self.otherwise }
    }
}

/// One browser that watches. It holds no bytes: it takes the newest when it can take any.
struct Watcher {
    watched: Watched,
    looker: Looker,
    asked: Asked,
    /// What was told last, or could have been.
    part: Part,
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
        let may_matter = asked != Asked::Round && shown.round.results != subjects::ResultsShown::Always;
        let organiser = if may_matter { results.organiser(request, &shown.round).await? } else { None };
        let callers = results.given.edge.callers.clone();
        let otherwise = results.voter(request, &shown.round);
        let mut looker = Looker { callers, organiser, asked_at: Instant::now(), otherwise };
        let part = asked.part(&shown.round, looker.viewer(&shown.round).await);
        watched.stage.mark_changed();
        if part == Part::Result && has_newest(request, &shown) {
            watched.shown.mark_unchanged();
        } else {
            watched.shown.mark_changed();
        }
        gauge!("urna_result_watchers").increment(1);
        let mut pings = interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
        // Whoever was slow for a minute needs one ping, not four.
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let closing = Box::pin(results.given.closing.clone().cancelled_owned());
        Ok(Self { watched, looker, asked, part, pings, closing, greeted: false })
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
        tokio::select! {
            // Counts first: ten thousand watchers are mostly woken by them, and need not look at the rest.
            biased;
            changed = self.watched.shown.changed(), if !waits_for_stage => changed.ok()?,
            changed = self.watched.stage.changed(), if waits_for_stage => changed.ok()?,
            _ = self.pings.tick() => return Some(Bytes::from_static(PING)),
            () = &mut self.closing => return None,
        }
        EVENTS_SENT.increment(1);
        Some(self.tell().await)
    }

    /// What may be told of what is shown now.
    async fn tell(&mut self) -> Bytes {
        self.watched.stage.mark_unchanged();
        // Taken together: who may see it is asked of the very round that it is of.
        let shown = {
            let shown = self.watched.shown.borrow_and_update();
            if self.part == Part::Result && shown.round.shows_results_to_all() {
                return shown.event.clone();
            }
            shown.clone()
        };
        let viewer = self.looker.viewer(&shown.round).await;
        self.part = self.asked.part(&shown.round, viewer);
        match self.part {
            Part::Result => shown.event,
            Part::Turnout => shown.turnout,
            Part::Stage => shown.stage,
        }
    }
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
    !shown.is_told_anew && last == Some(shown.view.sequence)
}
