//! `urna deploy`: creates what the servers must have before any process starts, or shows what is missing.

use std::process::ExitCode;

use anyhow::Context;
use nats::{Bus, Clock, Difference, StreamDifference};
use schema::deploy::{self as postgres, Change, Subject};
use subjects::Account;

use super::connect_as;
use crate::settings::{PostgresDeployment, Settings};

/// Which user deploys the standing streams of an account.
fn user_of(account: Account) -> &'static str {
    match account {
        Account::Elections => "deploy",
        Account::People => "deploy-people",
    }
}

/// Deploys, or with `dry_run` only compares: then the status is 1 when something differs.
pub async fn deploy(settings: &Settings, dry_run: bool, clock: &Clock) -> anyhow::Result<ExitCode> {
    let mut differs = false;
    for account in Account::ALL {
        let bus = connect_as(settings, user_of(account), clock).await?;
        let found = compare_or_deploy(&bus, account, dry_run).await;
        for StreamDifference { stream, difference } in
            found.context("failed to deploy the standing streams")?
        {
            differs |= difference != Difference::None;
            println!("stream {stream}: {}", in_words(&difference, dry_run));
        }
    }
    match settings.servers.postgres_deployment()? {
        Some(deployment) => differs |= deploy_postgres(&deployment, dry_run).await?,
        None => println!("postgres: not covered by URNA_CREDENTIALS, so each process creates its own schema"),
    }
    Ok(if dry_run && differs { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn compare_or_deploy(
    bus: &Bus,
    account: Account,
    dry_run: bool,
) -> anyhow::Result<Vec<StreamDifference>> {
    Ok(match dry_run {
        true => bus.compare_standing(account).await?,
        false => bus.deploy_standing(account).await?,
    })
}

/// Deploys roles and schemas, or only compares them. Whether something differs, or did.
async fn deploy_postgres(deployment: &PostgresDeployment, dry_run: bool) -> anyhow::Result<bool> {
    let PostgresDeployment { administrator, roles } = deployment;
    let differences = match dry_run {
        true => postgres::look(administrator, roles).await?,
        false => postgres::deploy(administrator, roles).await?,
    };
    for subject in postgres::subjects(roles) {
        println!("{subject}: {}", changes_in_words(&differences, &subject, dry_run));
    }
    Ok(!differences.is_empty())
}

fn changes_in_words(differences: &[postgres::Difference], subject: &Subject, dry_run: bool) -> String {
    let mut alterations = Vec::new();
    for difference in differences.iter().filter(|difference| difference.subject == *subject) {
        match &difference.change {
            // What else is to be done with it is part of it.
            Change::Create => return in_words(&Difference::Missing, dry_run),
            Change::Alter(alteration) => alterations.push(alteration.as_str()),
        }
    }
    match (&alterations[..], dry_run) {
        ([], _) => in_words(&Difference::None, dry_run),
        (alterations, true) => format!("would be changed: {}", alterations.join(", ")),
        (alterations, false) => format!("changed: {}", alterations.join(", ")),
    }
}

fn in_words(difference: &Difference, dry_run: bool) -> String {
    match difference {
        Difference::None => "unchanged".to_owned(),
        Difference::Missing if dry_run => "would be created".to_owned(),
        Difference::Missing => "created".to_owned(),
        Difference::Settings(settings) => {
            let begin = if dry_run { "would be changed" } else { "changed" };
            let settings =
                settings.iter().map(|it| format!("{} from {} to {}", it.setting, it.is, it.declared));
            format!("{begin}: {}", settings.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nats::SettingDifference;

    #[test]
    fn a_dry_run_says_what_would_be_done_and_a_deployment_what_was() {
        let replicas = SettingDifference { setting: "replicas", is: "1".into(), declared: "3".into() };
        let differing = Difference::Settings(vec![replicas]);
        for (difference, dry, done) in [
            (Difference::None, "unchanged", "unchanged"),
            (Difference::Missing, "would be created", "created"),
            (differing, "would be changed: replicas from 1 to 3", "changed: replicas from 1 to 3"),
        ] {
            assert_eq!(in_words(&difference, true), dry);
            assert_eq!(in_words(&difference, false), done);
        }
    }
}
