//! The benchmark, as far as it can be tested: that it measures everything, and that it does not look away. And the
//! simulation: that it knows the settings.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use serde_json::Value;
use urna_world::{World, binary};

use crate::load::Load;

/// Runs a short benchmark, and returns its status and what it says.
async fn bench(arguments: &[&str]) -> (ExitStatus, String) {
    let mut command = tokio::process::Command::new(binary("urna-bench"));
    command.arg("--quick").args(arguments).stderr(Stdio::inherit());
    let told = command.output().await.expect("urna-bench can be started");
    (told.status, String::from_utf8_lossy(&told.stdout).into_owned())
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).expect("the benchmark has written a file")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_benchmark_measures_everything_on_servers_of_its_own() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (json, svg) = (folder.path().join("bench.json"), folder.path().join("bench.svg"));
    let files = ["--json", json.to_str().expect("text"), "--svg", svg.to_str().expect("text")];
    let (status, table) = bench(&[&files[..], &["--connections", "1,16", "--watchers", "50"]].concat()).await;
    assert!(status.success(), "{table}");
    let told: Value = serde_json::from_str(&read(&json)).expect("the figures are JSON");
    let figures = told["figures"].as_array().expect("there are figures");
    let keys: Vec<&str> = figures.iter().filter_map(|figure| figure["key"].as_str()).collect();
    let wanted =
        ["hello.16", "accepted.1", "accepted.unsynced", "appends", "fsync", "live.p99", "watchers.p99"];
    for key in wanted.iter().chain(&["log.read", "tally.catch_up", "recount", "restart", "memory.idle"]) {
        assert!(keys.contains(key), "{key} was not measured: {keys:?}");
    }
    assert!(figures.iter().all(|figure| figure["summary"]["median"].as_f64() > Some(0.0)), "{table}");
    assert!(read(&svg).starts_with("<svg"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_of_a_benchmark_adds_up() {
    let world = World::with_urna().await;
    let address = world.address("urna");
    let arguments = ["--connections", "8", "--watchers", "5", "--target", &address];
    for shape in ["steady", "spike", "revote", "double-voters"] {
        let (status, table) = bench(&[&arguments[..], &["--shape", shape]].concat()).await;
        assert!(status.success(), "{shape}: {table}");
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_benchmark_whose_votes_do_not_add_up_fails() {
    let world = World::with_urna().await;
    let address = world.address("urna");
    let others = Load::begin(&address, 2, "somebody-else");
    let arguments = ["--connections", "4", "--watchers", "0", "--target", &address];
    let (status, table) = bench(&arguments).await;
    others.end().await;
    assert_eq!(status.code(), Some(1), "{table}");
    assert!(table.contains("THE VOTES DO NOT ADD UP"), "{table}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_benchmark_that_a_limit_stops_fails_and_shows_the_answer() {
    let mut world = World::new().await;
    world.start_as("urna", "urna", &[("URNA_LIMIT_VOTES_BY_ADDRESS", "10")]).await;
    let address = world.address("urna");
    let (status, table) =
        bench(&["--connections", "4", "--watchers", "0", "--shape", "revote", "--target", &address]).await;
    assert_eq!(status.code(), Some(1), "{table}");
    assert!(table.contains("answers were wrong, the first: 429"), "{table}");
    world.close().await;
}

#[tokio::test]
async fn a_simulation_reckons_with_the_settings() {
    let simulate = |events: &'static str| async move {
        let mut command = tokio::process::Command::new(binary("urna-scale"));
        command.args(["--voters", "5000", "--seconds", "5", "--watchers", "2000"]);
        let told =
            command.env("URNA_EVENTS_PER_SECOND", events).output().await.expect("urna-scale can be started");
        assert!(told.status.success(), "{told:?}");
        String::from_utf8_lossy(&told.stdout).into_owned()
    };
    let (few, many) = tokio::join!(simulate("5"), simulate("20"));
    assert!(few.contains("5,000 of 5,000"), "{few}");
    assert!(few.contains("10,000 events/s") && many.contains("40,000 events/s"), "{few}{many}");
}
