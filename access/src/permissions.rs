//! The table: what each user of the NATS server may publish, request and subscribe to.
//!
//! A permission matches subjects token by token, and the name of a log, `VOTES-<round>`, is one token. So a log is told from
//! another stream by what its readers ask for: the server takes a consumer's filter from the request's own subject, and
//! `…CONSUMER.CREATE.*.*.vote.>` creates consumers that deliver ballots and seals, whatever stream is named. Where a request
//! names a stream and no subject, the standing streams are denied by name.

use subjects::account::{
    AccountAuthenticated, AccountAuthenticationFailed, AccountChanged, AccountPasswordChanged,
    AccountRegistered,
};
use subjects::session::{SessionEnded, SessionOpened};
use subjects::{BallotsCast, Bucket, RoundChanged, RoundSealed, Said, Stream, TallyCounted, VoterKeyCreated};

use crate::user::{ServerAccount, User};

/// The durables, which only their own process may create, change or take messages from.
const DURABLES: [&str; 3] = ["tally", "round", "session"];

/// What one user may do. Anything that is not allowed is refused, and so is what is both allowed and denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Subjects the user may publish on. Requests to the JetStream API are among them.
    pub publish: Vec<String>,
    /// Subjects the user may not publish on all the same.
    pub publish_denied: Vec<String>,
    /// Subjects the user may subscribe to.
    pub subscribe: Vec<String>,
    /// Whether the user may answer the requests it receives.
    pub responds: bool,
}

/// Everything a user may do. `None` for `system`, which may do everything.
pub fn of(user: User) -> Option<Permissions> {
    if user == User::System {
        return None;
    }
    let mut table = Table::new(user);
    match user {
        User::Round => round(&mut table),
        User::Vote => vote(&mut table),
        User::Tally => tally(&mut table),
        User::Result => result(&mut table),
        User::Login => login(&mut table),
        User::Session => session(&mut table),
        User::Deploy | User::DeployPeople => deploy(&mut table),
        User::Recount => recount(&mut table),
        User::Close => close(&mut table),
        User::Backup | User::BackupPeople => backup(&mut table),
        User::Restore | User::RestorePeople => restore(&mut table),
        User::Archive => archive(&mut table),
        User::Auditor => auditor(&mut table),
        User::Operator => operator(&mut table),
        User::Support => support(&mut table),
        User::System => {}
    }
    Some(table.permissions)
}

fn round(table: &mut Table) {
    table.publishes(&[
        RoundChanged::SUBJECT,
        VoterKeyCreated::SUBJECT,
        RoundSealed::SUBJECT,
        "dead_letter.round.*",
    ]);
    table.uses_durable("round", &Stream::rounds());
    table.reads(&[Stream::rounds(), Stream::tallies()]);
    table.looks_at(&Stream::keys());
    table.looks_at(&Stream::dead_letters());
    table.may("STREAM.MSG.GET.KEYS");
    table.may("STREAM.MSG.DELETE.KEYS");
    table.stores_objects(&Bucket::pictures());
    // A log that exists cannot be made to forget: its settings that say so can only be tightened.
    table.may_of_logs("STREAM.CREATE");
    table.may_of_logs("STREAM.UPDATE");
    table.looks_at_logs();
}

fn vote(table: &mut Table) {
    table.publishes(&[BallotsCast::SUBJECT]);
    table.reads(&[Stream::rounds(), Stream::keys(), Stream::tallies()]);
    table.reads_logs();
}

fn tally(table: &mut Table) {
    table.publishes(&[TallyCounted::SUBJECT, "dead_letter.tally.*"]);
    table.reads(&[Stream::rounds()]);
    // Not as a consumer: an answer can be sent anywhere, and this one would hold what the tally itself wrote.
    table.looks_at(&Stream::tallies());
    table.may("STREAM.MSG.GET.TALLIES");
    table.looks_at(&Stream::dead_letters());
    table.looks_at_logs();
    table.may_of_logs("STREAM.MSG.GET");
    table.uses_durable_of_logs("tally");
}

fn result(table: &mut Table) {
    table.reads(&[Stream::rounds(), Stream::tallies()]);
    table.looks_at_logs();
}

fn login(table: &mut Table) {
    table.publishes(&[
        AccountRegistered::SUBJECT,
        AccountAuthenticated::SUBJECT,
        AccountAuthenticationFailed::SUBJECT,
        AccountChanged::SUBJECT,
        AccountPasswordChanged::SUBJECT,
    ]);
    table.looks_at(&Stream::accounts());
    table.reads(&[Stream::sessions()]);
}

fn session(table: &mut Table) {
    table.publishes(&[SessionOpened::SUBJECT, SessionEnded::SUBJECT, "dead_letter.session.*"]);
    table.looks_at(&Stream::sessions());
    table.looks_at(&Stream::dead_letters());
    table.uses_durable("session", &Stream::accounts());
    table.may(&format!("STREAM.MSG.GET.{}", Stream::accounts().name));
}

fn deploy(table: &mut Table) {
    for stream in table.standing() {
        for request in ["INFO", "CREATE", "UPDATE"] {
            table.may(&format!("STREAM.{request}.{stream}"));
        }
    }
}

fn recount(table: &mut Table) {
    table.reads(&[Stream::rounds()]);
    table.reads_logs();
}

fn close(table: &mut Table) {
    table.publishes(&[RoundChanged::SUBJECT]);
    table.looks_at(&Stream::rounds());
    table.may("STREAM.MSG.GET.ROUNDS");
}

fn backup(table: &mut Table) {
    table.lists();
    table.may("STREAM.SNAPSHOT.*");
    table.publishes(&["$JS.SNAPSHOT.ACK.>"]);
}

fn restore(table: &mut Table) {
    table.lists();
    table.may("STREAM.RESTORE.*");
    table.publishes(&["$JS.SNAPSHOT.RESTORE.>"]);
}

fn archive(table: &mut Table) {
    table.lists();
    table.may_of_logs("STREAM.DELETE");
}

fn auditor(table: &mut Table) {
    looks_on(table, &[Stream::rounds(), Stream::tallies()]);
}

fn operator(table: &mut Table) {
    looks_on(table, &[Stream::rounds(), Stream::tallies(), Stream::dead_letters()]);
    table.may("CONSUMER.NAMES.*");
    table.may("CONSUMER.LIST.*");
    table.subscribes(&["dead_letter.>"]);
}

/// What the `nats` CLI asks for when a person reads these streams and the log of every round. It filters by `>`, so streams
/// that are not to be read are denied by name.
fn looks_on(table: &mut Table, streams: &[Stream]) {
    table.lists();
    table.reads(streams);
    table.reads_logs();
    table.may("CONSUMER.CREATE.*.*.>");
    for stream in table.standing() {
        if !streams.iter().any(|readable| readable.name == stream) {
            table.may_not(&format!("CONSUMER.CREATE.{stream}.>"));
        }
    }
    table.publishes(&["$JS.FC.>", "$SRV.>"]);
    table.subscribes(&["vote.>", "tally.>", "round.>"]);
}

fn support(table: &mut Table) {
    table.lists();
    // Not as a consumer: an answer can be sent anywhere, and old news of an account would be news again.
    for stream in table.standing() {
        table.may(&format!("STREAM.MSG.GET.{stream}"));
    }
    table.subscribes(&["account.>", "session.>", "dead_letter.>"]);
}

/// Collects the permissions of one user.
struct Table {
    user: User,
    account: ServerAccount,
    permissions: Permissions,
}

impl Table {
    /// With what every user may: get answers; and, for a process, be found in the service registry.
    fn new(user: User) -> Self {
        let mut permissions = Permissions::default();
        permissions.subscribe.push(format!("{}.>", user.inbox_prefix()));
        if user.is_process() {
            for question in ["PING", "INFO", "STATS"] {
                let name = user.name();
                permissions.subscribe.push(format!("$SRV.{question}"));
                permissions.subscribe.push(format!("$SRV.{question}.{name}"));
                permissions.subscribe.push(format!("$SRV.{question}.{name}.*"));
            }
            permissions.responds = true;
        }
        Self { user, account: user.account(), permissions }
    }

    fn publishes(&mut self, subjects: &[&str]) {
        for &subject in subjects {
            if !self.permissions.publish.iter().any(|allowed| allowed == subject) {
                self.permissions.publish.push(subject.to_owned());
            }
        }
    }

    fn subscribes(&mut self, subjects: &[&str]) {
        self.permissions.subscribe.extend(subjects.iter().map(|&subject| subject.to_owned()));
    }

    /// A request to the JetStream API.
    fn may(&mut self, request: &str) {
        let request = self.request(request);
        self.publishes(&[&request]);
    }

    /// One that is refused although another line allows it.
    fn may_not(&mut self, request: &str) {
        let request = self.request(request);
        if !self.permissions.publish_denied.contains(&request) {
            self.permissions.publish_denied.push(request);
        }
    }

    fn request(&self, request: &str) -> String {
        format!("{}.{request}", self.account.api_prefix())
    }

    /// A request that names a stream, for every stream that is not a standing one.
    fn may_of_logs(&mut self, request: &str) {
        self.may(&format!("{request}.*"));
        for stream in self.standing() {
            let allowed = self.request(&format!("{request}.{stream}"));
            if !self.permissions.publish.contains(&allowed) {
                self.may_not(&format!("{request}.{stream}"));
            }
        }
    }

    /// Sees how long a stream is and how it is kept.
    fn looks_at(&mut self, stream: &Stream) {
        self.may(&format!("STREAM.INFO.{}", stream.name));
    }

    fn looks_at_logs(&mut self) {
        self.may_of_logs("STREAM.INFO");
    }

    /// Lists the streams, and sees how each is kept.
    fn lists(&mut self) {
        for request in ["INFO", "STREAM.NAMES", "STREAM.LIST", "STREAM.INFO.*"] {
            self.may(request);
        }
    }

    /// Reads streams whole, as they are and as they grow.
    fn reads(&mut self, streams: &[Stream]) {
        for stream in streams {
            let Stream { name, subject, .. } = stream;
            self.looks_at(stream);
            self.may(&format!("STREAM.MSG.GET.{name}"));
            self.may(&format!("CONSUMER.CREATE.{name}.*.{subject}"));
            self.may(&format!("CONSUMER.MSG.NEXT.{name}.*"));
            // When it connects again, the client asks whether its consumer still exists.
            self.may(&format!("CONSUMER.INFO.{name}.*"));
        }
        self.leaves_durables();
    }

    /// Reads the log of every round.
    fn reads_logs(&mut self) {
        self.looks_at_logs();
        self.may_of_logs("STREAM.MSG.GET");
        self.may("CONSUMER.CREATE.*.*.vote.>");
        for request in ["CONSUMER.MSG.NEXT", "CONSUMER.INFO"] {
            self.may(&format!("{request}.*.*"));
            for stream in self.standing() {
                let own = self.request(&format!("{request}.{stream}.*"));
                if !self.permissions.publish.contains(&own) {
                    self.may_not(&format!("{request}.{stream}.*"));
                }
            }
        }
        self.leaves_durables();
    }

    /// Has nothing to do with the durables of other processes.
    fn leaves_durables(&mut self) {
        let own = self.user.name();
        for durable in DURABLES.into_iter().filter(|durable| *durable != own) {
            self.may_not(&format!("CONSUMER.CREATE.*.{durable}.>"));
            self.may_not(&format!("CONSUMER.MSG.NEXT.*.{durable}"));
        }
    }

    fn uses_durable(&mut self, durable: &str, stream: &Stream) {
        let Stream { name, subject, .. } = stream;
        self.looks_at(stream);
        self.takes_from(name, durable, subject);
    }

    fn uses_durable_of_logs(&mut self, durable: &str) {
        self.takes_from("*", durable, "vote.>");
        self.may(&format!("CONSUMER.DELETE.*.{durable}"));
    }

    fn takes_from(&mut self, stream: &str, durable: &str, subject: &str) {
        self.may(&format!("CONSUMER.CREATE.{stream}.{durable}.{subject}"));
        self.may(&format!("CONSUMER.MSG.NEXT.{stream}.{durable}"));
        self.may(&format!("CONSUMER.INFO.{stream}.{durable}"));
        // The server's older form of an acknowledgement's subject, and the one with a domain and an account in it.
        self.publishes(&[
            &format!("$JS.ACK.{stream}.{durable}.>"),
            &format!("$JS.ACK.*.*.{stream}.{durable}.>"),
        ]);
    }

    /// Puts, reads and deletes objects of a bucket, as clients of the object store do.
    fn stores_objects(&mut self, bucket: &Bucket) {
        let stream = bucket.stream();
        for request in ["STREAM.INFO", "STREAM.PURGE", "STREAM.MSG.GET", "DIRECT.GET", "CONSUMER.CREATE"] {
            self.may(&format!("{request}.{stream}"));
        }
        for request in ["DIRECT.GET", "CONSUMER.CREATE", "CONSUMER.DELETE", "CONSUMER.INFO"] {
            self.may(&format!("{request}.{stream}.>"));
        }
        self.publishes(&[&format!("$JS.FC.{stream}.>")]);
        for subject in bucket.subjects() {
            self.publishes(&[&subject]);
        }
    }

    /// The names of the standing streams of the user's account, those of buckets included.
    fn standing(&self) -> Vec<String> {
        let Some(account) = self.account.streams_of() else { return Vec::new() };
        let buckets = account.buckets().into_iter().map(|bucket| bucket.stream());
        account.streams().into_iter().map(|stream| stream.name).chain(buckets).collect()
    }
}
