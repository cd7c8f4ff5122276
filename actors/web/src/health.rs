//! Whether a process lives, whether it can do its work, and what it has done.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use nats::{Bus, Reason};
use serde::Serialize;
use tokio::time::MissedTickBehavior;

use crate::edge::at;
use crate::outage::Outage;
use crate::unavailable::Unavailable;

/// How long a dependency may take to answer before it counts as unavailable.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How often a process looks at its dependencies when nobody asks.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What the report says of a dependency that is available.
const OK: &str = "ok";

/// Why a dependency is unavailable, in words that hold no secret.
pub type Why = Cow<'static, str>;

type Probe = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), Why>> + Send>> + Send + Sync>;

/// One thing that this process needs to do its work.
#[derive(Clone)]
pub struct Check {
    name: &'static str,
    probe: Probe,
    /// `None` when the probe logs by itself.
    outage: Option<Arc<Outage>>,
}

/// Everything that this process needs to do its work.
#[derive(Clone, Debug, Default)]
pub struct Health {
    checks: Vec<Check>,
}

/// Writes all metrics in Prometheus' text format.
#[derive(Clone)]
pub struct Metrics(Arc<dyn Fn() -> String + Send + Sync>);

/// What `/health` answers.
#[derive(Serialize)]
struct Report {
    status: Status,
    checks: BTreeMap<&'static str, Why>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Unavailable,
}

impl Check {
    /// A dependency by name, and how to find out whether it is available, or else why it is not. What is found is
    /// logged once when it changes.
    pub fn new<F, A, E>(name: &'static str, probe: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Why>,
    {
        Self { outage: Some(Arc::new(Outage::none(name))), ..Self::of_self_logging(name, probe) }
    }

    /// The same for a dependency that logs by itself when it becomes unavailable.
    pub fn of_self_logging<F, A, E>(name: &'static str, probe: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Why>,
    {
        let probe: Probe = Arc::new(move || {
            let found = probe();
            Box::pin(async move { found.await.map_err(Into::into) })
        });
        Self { name, probe, outage: None }
    }

    /// A connection to NATS, which logs by itself when it becomes unavailable.
    pub fn nats(bus: &Bus) -> Self {
        let bus = bus.clone();
        Self::of_self_logging("nats", move || std::future::ready(usable(&bus)))
    }

    /// A part of this process that is ready or is not yet.
    pub fn ready<F, A>(name: &'static str, probe: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = bool> + Send + 'static,
    {
        let probe = move || {
            let is_ready = probe();
            async move { if is_ready.await { Ok(()) } else { Err("not ready") } }
        };
        Self::of_self_logging(name, probe)
    }

    async fn ask(&self) -> Result<(), Why> {
        let answered = tokio::time::timeout(ANSWER_WITHIN, (self.probe)()).await;
        let found = answered.unwrap_or_else(|_| Err(Unavailable::NoAnswer.into()));
        if let Some(outage) = &self.outage {
            outage.note(found.clone());
        }
        found
    }
}

fn usable(bus: &Bus) -> Result<(), Why> {
    match bus.unavailable_because() {
        // Its subject may name a person or a session: that is for the log.
        Some(Reason::PermissionMissing { .. }) => Err(Unavailable::PermissionMissing.into()),
        Some(reason) => Err(reason.to_string().into()),
        None if !bus.missing().is_empty() => Err(Unavailable::NotDeployed.into()),
        None => Ok(()),
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Metrics {
    /// `render` writes them all.
    pub fn new(render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(render))
    }
}

impl Health {
    /// One more dependency. Several of one name are one line of the report, and unavailable when one of them is.
    pub fn add(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// Adds `/live`, `/health` and `/metrics`.
    pub fn routes(&self, metrics: &Metrics, config: &mut ServiceConfig) {
        config
            .app_data(Data::new(self.clone()))
            .app_data(Data::new(metrics.clone()))
            .service(at("/live").route(web::get().to(live)))
            .service(at("/health").route(web::get().to(health)))
            .service(at("/metrics").route(web::get().to(metrics_text)));
    }

    /// Whether everything is available.
    pub async fn is_ok(&self) -> bool {
        self.report().await.status == Status::Ok
    }

    /// Looks again and again, so that an outage is logged also when nobody asks. Never ends.
    pub async fn keep_looking(&self) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.report().await;
        }
    }

    async fn report(&self) -> Report {
        let mut checks = BTreeMap::new();
        let mut status = Status::Ok;
        for check in &self.checks {
            let known = checks.entry(check.name).or_insert(Cow::Borrowed(OK));
            if let Err(why) = check.ask().await {
                status = Status::Unavailable;
                // The first of several reasons stands.
                if known == OK {
                    *known = why;
                }
            }
        }
        Report { status, checks }
    }
}

async fn live() -> impl Responder {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).content_type("text/plain").body("ok\n")
}

async fn health(health: Data<Health>) -> HttpResponse {
    let report = health.report().await;
    let mut response = match report.status {
        Status::Ok => HttpResponse::Ok(),
        Status::Unavailable => HttpResponse::ServiceUnavailable(),
    };
    response.insert_header((CACHE_CONTROL, "no-store")).json(report)
}

async fn metrics_text(metrics: Data<Metrics>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body((metrics.0)())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::App;
    use actix_web::test::{TestRequest, call_service, init_service, read_body_json};

    #[actix_web::test]
    async fn an_unavailable_or_silent_dependency_is_named_with_its_reason() {
        let mut health = Health::default();
        health.add(Check::new("nats", || async { Ok::<_, Why>(()) }));
        health.add(Check::new("postgres", || async { Err(Unavailable::WrongCredentials) }));
        health.add(Check::new("redis", || async { Ok::<_, Why>(()) }));
        health.add(Check::new("redis", || async { Err("words of its own".to_owned()) }));
        health.add(Check::ready("rounds", || async { false }));
        health.add(Check::ready("silent", std::future::pending));
        let metrics = Metrics::new(String::new);
        let app = init_service(App::new().configure(|config| health.routes(&metrics, config))).await;
        let response = call_service(&app, TestRequest::get().uri("/health").to_request()).await;
        assert_eq!(response.status(), 503);
        let report: serde_json::Value = read_body_json(response).await;
        let expected = serde_json::json!({
            "status": "unavailable",
            "checks": {
                "nats": "ok",
                "postgres": "wrong user or password",
                "redis": "words of its own",
                "rounds": "not ready",
                "silent": "no answer in time",
            },
        });
        assert_eq!(report, expected);
    }
}
