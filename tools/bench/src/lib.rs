//! The benchmark: how fast Urna is on this machine, each figure beside what limits it, measured in the same run.
//!
//! - [`Args`] what can be asked for; [`rows`] what is measured, and what it must reach
//! - [`outside`] what can be measured of any system; [`inside`] what needs a system of one's own
//! - [`load`], [`pace`], [`watch`] voters at full speed, voters at a pace, watchers; `fan_out` what limits the last
//! - [`Site`](site::Site) keeps the books: what voters were told against the ledger and the log
//! - [`report`], [`table`], [`picture`] what comes of it
//!
//! Promise: a benchmark whose votes do not add up fails.

pub mod args;
mod client;
mod fan_out;
mod http;
pub mod inside;
pub mod load;
mod log;
mod machine;
pub mod outside;
pub mod pace;
pub mod picture;
mod progress;
pub mod report;
mod requests;
pub mod rows;
mod scoreboard;
pub mod site;
mod statistics;
mod system;
pub mod table;
mod users;
pub mod watch;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};

pub use crate::args::Args;
use crate::outside::Desk;
use crate::progress::Progress;
use crate::report::{Report, cores};
use crate::site::Site;

/// Measures, and prints what came of it. The status is 1 when votes did not add up and, if asked for, when a target
/// is missed.
///
/// # Errors
/// When it cannot be measured.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measured = runtime.block_on(async {
        tokio::select! {
            measured = measure(args) => measured,
            told = told_to_stop() => told.and_then(|()| bail!("stopped")),
        }
    });
    // A load that was stopped still waits for answers.
    runtime.shutdown_background();
    let desk = measured?;
    tell(args, &desk)?;
    let is_well = desk.report.differences.is_empty() && !(args.strict && desk.report.missed() > 0);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(args: &Args) -> anyhow::Result<Desk> {
    let mut plan = args.plan();
    plan.watchers = machine::allow_watchers(plan.watchers, 1);
    let (report, progress) = (Report::of(&plan), Progress::of(plan.runs));
    let mut desk = Desk { plan, report, progress };
    for _ in 0..desk.plan.runs {
        desk.progress.next_run();
        match &args.target {
            Some(target) => {
                let mut site = Site::open(target, &desk.plan, None).await?;
                outside::measure(&mut desk, &mut site).await?;
                desk.report.differences.append(&mut site.differences);
            }
            None => inside::measure(&mut desk, &args.programs()?, &args.settings).await?,
        }
    }
    desk.progress.end();
    Ok(desk)
}

async fn told_to_stop() -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn tell(args: &Args, desk: &Desk) -> anyhow::Result<()> {
    let Desk { plan, report, .. } = desk;
    println!("{}\n", plan.in_words(cores()));
    print!("{}", table::draw(report));
    println!("\n{}", verdict(report));
    if let Some(file) = &args.json {
        write(file, &format!("{:#}\n", report.json(plan)))?;
    }
    if let Some(file) = &args.svg {
        write(file, &picture::draw(plan, report))?;
    }
    Ok(())
}

fn verdict(report: &Report) -> String {
    if !report.differences.is_empty() {
        return format!("THE VOTES DO NOT ADD UP:\n  {}", report.differences.join("\n  "));
    }
    let missed = match report.missed() {
        0 => "No target is missed.".to_owned(),
        1 => "One target is missed.".to_owned(),
        missed => format!("{missed} targets are missed."),
    };
    format!("Every ballot that was accepted is in the ledger, once. {missed}")
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("failed to write {}", file.display()))
}
