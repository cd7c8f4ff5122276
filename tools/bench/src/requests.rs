//! What a connection sends, made before the load: only the digits of the voter change.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::args::{Shape, Target};
use crate::http;

/// So many digits tell a connection's voters apart.
const DIGITS: usize = 9;

/// The requests of one connection, without end.
#[derive(Clone, Debug)]
pub struct Requests {
    /// Where they go.
    pub target: Target,
    /// The same request with each choice.
    buffers: Vec<Vec<u8>>,
    /// Where the voter's number lies in all of them, if they have one.
    digits_at: Option<usize>,
    shape: Shape,
    sent: u64,
    /// The status that says that all is well.
    pub expected: u16,
}

/// Voters whom nobody has seen before.
#[derive(Clone, Debug)]
pub struct Voters {
    targets: Vec<Target>,
    round: String,
    options: Vec<String>,
    name: String,
    loads: u32,
}

impl Requests {
    /// Asks for `/live`.
    pub fn hello(target: &Target) -> Self {
        let (target, buffers) = (target.clone(), vec![http::get(target, "/live")]);
        Self { target, buffers, digits_at: None, shape: Shape::Steady, sent: 0, expected: 200 }
    }

    /// The next one.
    pub fn next(&mut self) -> &[u8] {
        let (voter, choice) = turn(self.shape, self.sent);
        self.sent += 1;
        let options = self.buffers.len() as u64;
        let buffer = &mut self.buffers[(choice % options) as usize];
        if let Some(begin) = self.digits_at {
            write_digits(&mut buffer[begin..begin + DIGITS], voter);
        }
        buffer
    }
}

impl Voters {
    /// For a round with these options.
    pub fn of(target: &Target, round: &str, options: Vec<String>) -> Self {
        let name = format!("bench-{:016x}", RandomState::new().build_hasher().finish());
        Self { targets: vec![target.clone()], round: round.to_owned(), options, name, loads: 0 }
    }

    /// The same voters, whose connections are shared out between these targets.
    pub fn at(&mut self, targets: Vec<Target>) {
        self.targets = targets;
    }

    /// The requests of so many connections, all of new voters.
    pub fn crowd(&mut self, connections: usize, shape: Shape) -> Vec<Requests> {
        self.loads += 1;
        let crowd = (0..connections).map(|connection| {
            let name = if shape == Shape::DoubleVoters { connection / 2 } else { connection };
            let target = &self.targets[connection % self.targets.len()];
            self.requests(target, &format!("{}-{}-{name}", self.name, self.loads), shape)
        });
        crowd.collect()
    }

    fn requests(&self, target: &Target, name: &str, shape: Shape) -> Requests {
        let Self { round, options, .. } = self;
        let head = format!("POST /vote HTTP/1.1\r\nHost: {}\r\nX-Voter-Id: {name}-", target.host);
        let buffer = |option: &String| {
            let body = format!(r#"{{"round":"{round}","choice":["{option}"]}}"#);
            let (zeros, length) = ("0".repeat(DIGITS), body.len());
            format!(
                "{head}{zeros}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .into_bytes()
        };
        let buffers = options.iter().map(buffer).collect();
        Requests {
            target: target.clone(),
            buffers,
            digits_at: Some(head.len()),
            shape,
            sent: 0,
            expected: 201,
        }
    }
}

/// Which voter of a connection sends its request with this number, and which choice.
fn turn(shape: Shape, number: u64) -> (u64, u64) {
    match shape {
        Shape::Revote => (number / 2, number),
        Shape::Steady | Shape::Spike | Shape::DoubleVoters => (number, number),
    }
}

fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(requests: &mut Requests) -> String {
        String::from_utf8(requests.next().to_vec()).unwrap()
    }

    fn voters() -> Voters {
        let target = "http://127.0.0.1:8080".parse().unwrap();
        Voters::of(&target, "demo", vec!["cats".into(), "dogs".into()])
    }

    fn voter(request: &str) -> String {
        request.lines().find_map(|line| line.strip_prefix("X-Voter-Id: ")).unwrap().to_owned()
    }

    #[test]
    fn every_request_is_of_another_voter() {
        let mut voters = voters();
        let mut seen = std::collections::BTreeSet::new();
        for mut requests in voters.crowd(3, Shape::Steady).into_iter().chain(voters.crowd(3, Shape::Steady)) {
            for _ in 0..12 {
                assert!(seen.insert(voter(&text(&mut requests))));
            }
        }
        let name = seen.first().unwrap();
        assert!(name.len() <= 128, "{name}");
    }

    #[test]
    fn a_request_is_whole() {
        let request = text(&mut voters().crowd(1, Shape::Steady)[0]);
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, r#"{"round":"demo","choice":["cats"]}"#);
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    }

    #[test]
    fn who_changes_a_ballot_chooses_something_else() {
        let mut requests = voters().crowd(1, Shape::Revote).remove(0);
        let (first, second) = (text(&mut requests), text(&mut requests));
        assert_eq!(voter(&first), voter(&second));
        assert!(first.contains("cats") && second.contains("dogs"));
        assert_ne!(voter(&text(&mut requests)), voter(&first));
    }

    #[test]
    fn double_voters_send_the_same_on_two_connections() {
        let mut crowd = voters().crowd(3, Shape::DoubleVoters);
        let sent: Vec<String> = crowd.iter_mut().map(text).collect();
        assert_eq!(sent[0], sent[1]);
        assert_ne!(sent[0], sent[2]);
    }
}
