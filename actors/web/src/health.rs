//! Whether a process lives, whether it can do its work, and what it has done.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde::Serialize;

use crate::edge::at;

/// How long a dependency may take to answer before it counts as missing.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

type Probe = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// One thing that this process needs to do its work.
#[derive(Clone)]
pub struct Check {
    name: &'static str,
    probe: Probe,
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
    checks: BTreeMap<&'static str, Status>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Missing,
}

impl Check {
    /// A dependency by name, and how to ask whether it is there.
    pub fn new<F, A>(name: &'static str, probe: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = bool> + Send + 'static,
    {
        Self { name, probe: Arc::new(move || Box::pin(probe())) }
    }

    async fn ask(&self) -> Status {
        match tokio::time::timeout(ANSWER_WITHIN, (self.probe)()).await {
            Ok(true) => Status::Ok,
            Ok(false) | Err(_) => Status::Missing,
        }
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
    /// One more dependency. Several of one name are one line of the report, and missing when one of them is.
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

    /// Whether everything is there.
    pub async fn is_ok(&self) -> bool {
        self.report().await.status == Status::Ok
    }

    async fn report(&self) -> Report {
        let mut checks = BTreeMap::new();
        for check in &self.checks {
            let answer = check.ask().await;
            let known = checks.entry(check.name).or_insert(answer);
            *known = if answer == Status::Missing { answer } else { *known };
        }
        let missing = checks.values().any(|status| *status == Status::Missing);
        Report { status: if missing { Status::Missing } else { Status::Ok }, checks }
    }
}

async fn live() -> impl Responder {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).content_type("text/plain").body("ok\n")
}

async fn health(health: Data<Health>) -> HttpResponse {
    let report = health.report().await;
    let mut response = match report.status {
        Status::Ok => HttpResponse::Ok(),
        Status::Missing => HttpResponse::ServiceUnavailable(),
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
    async fn a_missing_or_silent_dependency_is_named() {
        let mut health = Health::default();
        health.add(Check::new("nats", || async { true }));
        health.add(Check::new("postgres", || async { false }));
        health.add(Check::new("silent", std::future::pending));
        let metrics = Metrics::new(String::new);
        let app = init_service(App::new().configure(|config| health.routes(&metrics, config))).await;
        let response = call_service(&app, TestRequest::get().uri("/health").to_request()).await;
        assert_eq!(response.status(), 503);
        let report: serde_json::Value = read_body_json(response).await;
        let expected = serde_json::json!({ "nats": "ok", "postgres": "missing", "silent": "missing" });
        assert_eq!(report["checks"], expected);
    }
}
