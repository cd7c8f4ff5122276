//! Logs and metrics.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Context;
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::{Level, Metadata, error};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, registry};

use crate::settings::LogFormat;

/// Buckets of histograms of durations, in seconds.
const SECONDS: [f64; 14] =
    [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
/// Buckets of histograms of sizes.
const SIZES: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0];
/// How often histograms are brought up to date.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Begins to log to standard error, and makes a panic end the process: a supervisor cannot revive an actor that
/// panicked, but compose, Kubernetes or `make run` can revive a process.
///
/// # Errors
/// When the filter cannot be understood.
pub fn log(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).context("failed to understand the log filter")?;
    let log = registry().with(filter).with(filter_fn(is_discreet));
    let lines = fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with(lines.with_ansi(std::io::stderr().is_terminal())).init(),
        LogFormat::Json => log.with(lines.json()).init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        error!(%panic, "a part of this process panicked; the process ends");
        std::process::exit(101);
    }));
    Ok(())
}

/// Whether this may be logged, whatever the filter says. The library that speaks to NATS writes out, from `debug` on,
/// every message that passes through it: ballots with their voters, and the keys of rounds.
fn is_discreet(what: &Metadata<'_>) -> bool {
    !what.target().starts_with("async_nats") || *what.level() <= Level::INFO
}

/// Begins to collect metrics.
///
/// # Errors
/// When it was done before.
pub fn collect() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_ballots".to_owned()), &SIZES)?
        .set_buckets_for_metric(Matcher::Suffix("_messages".to_owned()), &SIZES)?
        .install_recorder()
        .context("failed to begin to collect metrics")?;
    describe();
    Ok(handle)
}

/// Keeps histograms from growing.
pub async fn upkeep(handle: PrometheusHandle) {
    let mut every = tokio::time::interval(UPKEEP_EVERY);
    loop {
        every.tick().await;
        handle.run_upkeep();
    }
}

fn describe() {
    describe_counter!("urna_vote_cast_total", "Ballots by what became of them");
    describe_counter!("urna_vote_conflicts_total", "Blocks that another vote process was ahead of");
    describe_gauge!("urna_vote_waiting", "Ballots that wait to be judged");
    describe_histogram!("urna_vote_block_ballots", Unit::Count, "Ballots in a block");
    describe_counter!("urna_nats_published_total", "Messages by kind and by what became of them");
    describe_histogram!(
        "urna_nats_publish_seconds",
        Unit::Seconds,
        "From saying a message to its acknowledgement"
    );
    describe_counter!("urna_nats_permission_violations_total", "What NATS refused to this process's user");
    describe_counter!("urna_nats_buried_total", "Messages stored in DEAD_LETTERS");
    describe_counter!("urna_tally_ballots_total", "Ballots counted by this process");
    describe_histogram!("urna_tally_batch_messages", Unit::Count, "Messages counted in one transaction");
    describe_histogram!("urna_tally_batch_seconds", Unit::Seconds, "From a batch's arrival to its commit");
    describe_histogram!(
        "urna_tally_lag_seconds",
        Unit::Seconds,
        "From a block's place in the log to its commit"
    );
    describe_gauge!(
        "urna_tally_ledger_ballots",
        "Where accepted ballots went: accepted = counted + replaced"
    );
    describe_gauge!("urna_tally_log_sequence", "The log's head, and the cursor up to which it is counted");
    describe_gauge!("urna_tally_unreadable_messages", "Messages of a round's log that nobody could read");
    describe_gauge!("urna_result_watchers", "Browsers that watch");
    describe_counter!("urna_result_updates_total", "Views drawn for watchers");
    describe_counter!("urna_result_events_sent_total", "Events sent to watchers");
    describe_counter!("urna_round_changes_total", "Versions of rounds said, by what changed");
    describe_counter!("urna_login_attempts_total", "Sign-ins by what became of them");
    describe_histogram!("urna_login_hash_seconds", Unit::Seconds, "The work of hashing one password");
    describe_counter!("urna_session_opened_total", "Sessions opened");
    describe_counter!("urna_session_ended_total", "Sessions ended before their time, by why");
    describe_counter!("urna_web_limited_total", "Requests that came too often, by the limit");
    describe_counter!("urna_web_responses_total", "Responses by class of status");
    describe_histogram!("urna_web_response_seconds", Unit::Seconds, "From a request to its response");
}
