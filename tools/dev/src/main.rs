//! `make dev`: Urna is built and started again when its sources change.

use clap::Parser;
use urna_dev::{Settings, run};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    run(&Settings::parse()).await
}
