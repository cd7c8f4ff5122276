//! What every process says of itself, as one answer for all.

use std::net::Ipv4Addr;

use anyhow::Context;
use futures_util::future::try_join_all;
use reqwest::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use reqwest::{Client, StatusCode};
use serde_json::Value;

use crate::gateway::Ports;

/// The addresses that every process has.
pub(crate) const GATHERED: [&str; 4] = ["/live", "/health", "/metrics", "/openapi.json"];

/// What a process answers.
struct Told {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

/// One family of metrics: what is said about it, and the value of each of its series.
#[derive(Default)]
struct Family<'a> {
    name: &'a str,
    comments: Vec<&'a str>,
    series: Vec<(&'a str, f64)>,
}

/// Asks every process, and writes an answer with the status and the headers of the one that is worst off.
pub(crate) async fn gathered(ports: &Ports, path: &str) -> anyhow::Result<Vec<u8>> {
    let client = Client::new();
    let told: Vec<Told> = try_join_all(ports.iter().map(|(_, port)| ask(&client, *port, path))).await?;
    let bodies: Vec<&str> = told.iter().map(|told| told.body.as_str()).collect();
    let body = match path {
        "/metrics" => metrics(&bodies),
        "/health" | "/openapi.json" => objects(&bodies)?,
        _ => bodies.first().copied().unwrap_or_default().to_owned(),
    };
    let worst = told.iter().max_by_key(|told| told.status).context("there are no processes")?;
    let mut answer = format!("HTTP/1.1 {}\r\n", worst.status).into_bytes();
    for (name, value) in &worst.headers {
        if ![CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING].contains(name) {
            answer.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
    }
    answer.extend(format!("content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).bytes());
    Ok(answer)
}

async fn ask(client: &Client, port: u16, path: &str) -> reqwest::Result<Told> {
    let answer = client.get(format!("http://{}:{port}{path}", Ipv4Addr::LOCALHOST)).send().await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    Ok(Told { status, headers, body: answer.text().await? })
}

/// The fields of all these objects, in one.
fn objects(bodies: &[&str]) -> anyhow::Result<String> {
    let mut all = Value::Object(serde_json::Map::new());
    for body in bodies {
        merge(&mut all, serde_json::from_str(body).context("a process answers no JSON")?);
    }
    Ok(all.to_string())
}

/// Where two say something about the same thing, the one that is not `ok` counts.
fn merge(into: &mut Value, other: Value) {
    match (into, other) {
        (Value::Object(into), Value::Object(other)) => {
            for (name, value) in other {
                match into.get_mut(&name) {
                    Some(known) => merge(known, value),
                    None => {
                        into.insert(name, value);
                    }
                }
            }
        }
        (into, other) if *into == "ok" => *into = other,
        _ => {}
    }
}

/// The metrics of all these texts, in one: a series that several have is the sum of theirs.
fn metrics(texts: &[&str]) -> String {
    let mut families: Vec<Family<'_>> = Vec::new();
    for text in texts {
        let mut at = 0;
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let name = comment.split(' ').nth(1).unwrap_or_default();
                at = families.iter().position(|family| family.name == name).unwrap_or(families.len());
                if at == families.len() {
                    families.push(Family { name, ..Family::default() });
                }
                if !families[at].comments.contains(&line) {
                    families[at].comments.push(line);
                }
            } else if let Some((series, value)) = line.rsplit_once(' ') {
                families[at].add(series, value.parse().unwrap_or_default());
            }
        }
    }
    families.iter().map(Family::text).collect()
}

impl<'a> Family<'a> {
    fn add(&mut self, series: &'a str, value: f64) {
        match self.series.iter_mut().find(|(known, _)| *known == series) {
            Some((_, sum)) => *sum += value,
            None => self.series.push((series, value)),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for comment in &self.comments {
            text += &format!("{comment}\n");
        }
        for (series, value) in &self.series {
            text += &format!("{series} {value}\n");
        }
        text + "\n"
    }
}
