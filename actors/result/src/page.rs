//! `GET /result/{round}`, `GET /rounds/{id}/results` and `GET /rounds/{id}/events`.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::web::{Problem, at, page};
use actix_web::http::header;
use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::stream;
use metrics::{counter, gauge};
use subjects::RoundId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::rules::Shown;
use crate::{Handle, Watch};

/// After how long a browser that lost the connection comes back, in milliseconds, as the first line of a stream.
const RETRY: &[u8] = b"retry: 2000\n\n";
/// Keeps proxies from closing a quiet stream.
const PING: &[u8] = b": still here\n\n";
/// How long a stream may be quiet.
const PING_EVERY: Duration = Duration::from_secs(15);

impl Handle {
    /// Adds this actor's addresses.
    pub fn routes(&self, config: &mut ServiceConfig) {
        config
            .app_data(Data::new(self.clone()))
            .service(at("/result/{round}").route(web::get().to(show)))
            .service(at("/rounds/{id}/results").route(web::get().to(results)))
            .service(at("/rounds/{id}/events").route(web::get().to(events)));
    }

    async fn find(&self, id: &str) -> Result<watch::Receiver<Shown>, Problem> {
        let id = RoundId::parse(id).map_err(|_| Problem::no_such_round())?;
        let found =
            self.actor.send(Watch(id)).await.map_err(|gone| Problem::internal("find a result", &gone))?;
        found.ok_or_else(|| {
            if self.begun.load(Ordering::Acquire) {
                return Problem::no_such_round();
            }
            Problem::unavailable("not-ready", "The results are being read. Try again in a moment.")
        })
    }
}

async fn show(results: Data<Handle>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    match results.find(&id).await {
        Ok(shown) => {
            let visitor = results.given.edge.callers.visitor(&request).await;
            let view = shown.borrow().view.clone();
            page(&request, view.page(visitor).render())
        }
        Err(problem) => problem.respond(&request),
    }
}

async fn results(results: Data<Handle>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    match results.find(&id).await {
        Ok(shown) => {
            let json = shown.borrow().json.clone();
            let mut response = HttpResponse::Ok();
            response
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .content_type("application/json")
                .body(json)
        }
        Err(problem) => problem.respond(&request),
    }
}

async fn events(results: Data<Handle>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    let mut shown = match results.find(&id).await {
        Ok(shown) => shown,
        Err(problem) => return problem.respond(&request),
    };
    if has_newest(&request, &shown.borrow()) {
        shown.mark_unchanged();
    } else {
        shown.mark_changed();
    }
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-cache, no-transform"))
        // Proxies that buffer would hold events back.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(Watcher::new(shown, results.given.closing.clone()).stream())
}

/// Whether the browser says that it has seen what is shown now. Only the counts carry an id: what was shown in
/// another form under the same id is sent again.
fn has_newest(request: &HttpRequest, shown: &Shown) -> bool {
    let last = request.headers().get("Last-Event-ID").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    !shown.is_told_anew && last == Some(shown.view.sequence)
}

/// One browser that watches. It holds no bytes: it takes the newest when it can take any.
struct Watcher {
    shown: watch::Receiver<Shown>,
    closing: CancellationToken,
    greeted: bool,
}

impl Watcher {
    fn new(shown: watch::Receiver<Shown>, closing: CancellationToken) -> Self {
        gauge!("urna_result_watchers").increment(1);
        Self { shown, closing, greeted: false }
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
        tokio::select! {
            changed = self.shown.changed() => {
                changed.ok()?;
                counter!("urna_result_events_sent_total").increment(1);
                Some(self.shown.borrow_and_update().event.clone())
            }
            () = tokio::time::sleep(PING_EVERY) => Some(Bytes::from_static(PING)),
            () = self.closing.cancelled() => None,
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        gauge!("urna_result_watchers").decrement(1);
    }
}
