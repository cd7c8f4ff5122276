//! The standing streams: `urna deploy` creates and updates them, every other process only checks that they exist.

use std::fmt;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use subjects::{Account, Bucket, Retention, Stream};
use tracing::{debug, info, warn};

use crate::bus::Bus;
use crate::unavailable::Unavailable;

/// The pause between two looks whether the standing streams exist.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long the server remembers message ids.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// What a server must store messages in: a stream, or the stream of a bucket.
#[derive(Clone, Copy, Debug)]
enum Declared<'a> {
    Stream(&'a Stream),
    Bucket(&'a Bucket),
}

/// How a standing stream differs from its declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamDifference {
    /// The stream's name.
    pub stream: String,
    /// What differs.
    pub difference: Difference,
}

/// What a server has in the place of what is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The same.
    None,
    /// Nothing.
    Missing,
    /// A stream with other settings.
    Settings(Vec<SettingDifference>),
}

/// One setting of a stream that is not as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingDifference {
    /// Its name, as the `nats` CLI shows it.
    pub setting: &'static str,
    /// What it is.
    pub is: String,
    /// What is declared.
    pub declared: String,
}

impl Bus {
    /// Compares the standing streams of `account` with their declarations. Changes nothing.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer.
    pub async fn compare_standing(&self, account: Account) -> Result<Vec<StreamDifference>, Unavailable> {
        let (streams, buckets) = (account.streams(), account.buckets());
        let mut differences = Vec::new();
        for declared in declared(&streams, &buckets) {
            let difference = self.compare(declared).await?;
            differences.push(StreamDifference { stream: declared.name(), difference });
        }
        Ok(differences)
    }

    /// Creates the standing streams of `account` that are missing, and gives the others the settings that are declared. Returns
    /// what it found. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer or refuses a declaration.
    pub async fn deploy_standing(&self, account: Account) -> Result<Vec<StreamDifference>, Unavailable> {
        let (streams, buckets) = (account.streams(), account.buckets());
        let mut found = Vec::new();
        for declared in declared(&streams, &buckets) {
            let difference = self.compare(declared).await?;
            let deploying = || format!("deploy the stream {}", declared.name());
            match &difference {
                Difference::None => {}
                Difference::Missing => {
                    let config = declared.apply_to(Config::default(), self.replicas);
                    let created = self.jetstream.create_stream(config).await;
                    created.map_err(|cause| Unavailable::new(deploying(), cause))?;
                }
                Difference::Settings(_) => {
                    let existing = self.jetstream.get_stream(declared.name()).await;
                    let existing = existing.map_err(|cause| Unavailable::new(deploying(), cause))?;
                    let config = declared.apply_to(existing.cached_info().config.clone(), self.replicas);
                    let updated = self.jetstream.update_stream(config).await;
                    updated.map_err(|cause| Unavailable::new(deploying(), cause))?;
                }
            }
            found.push(StreamDifference { stream: declared.name(), difference });
        }
        Ok(found)
    }

    /// Waits until the server has these streams and buckets, then lets everything go on that waits for
    /// [`Bus::deployed`]. Until then [`Bus::missing`] names those that are missing.
    pub async fn check_deployed(&self, streams: &[Stream], buckets: &[Bucket]) {
        loop {
            match self.missing_of(streams, buckets).await {
                Ok(missing) if missing.is_empty() => break,
                Ok(missing) if *self.missing.borrow() != missing => {
                    let name = &self.name;
                    warn!(bus = name, ?missing, "streams are missing on the NATS server: run `urna deploy`");
                    self.missing.send_replace(missing);
                }
                Ok(_) => {}
                // Why NATS is unavailable is logged where that is found out.
                Err(unavailable) => debug!(%unavailable, "will look again"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        if !self.missing.send_replace(Vec::new()).is_empty() {
            info!("every stream exists now");
        }
        self.is_deployed.send_replace(true);
    }

    /// The streams that this process needs and the server did not have when last asked.
    pub fn missing(&self) -> Vec<String> {
        self.missing.borrow().clone()
    }

    /// Waits until [`Bus::check_deployed`] has found everything.
    pub async fn deployed(&self) {
        // This bus holds the sending end, so waiting cannot fail.
        let _ = self.is_deployed.subscribe().wait_for(|is_deployed| *is_deployed).await;
    }

    async fn missing_of(&self, streams: &[Stream], buckets: &[Bucket]) -> Result<Vec<String>, Unavailable> {
        let mut missing = Vec::new();
        for declared in declared(streams, buckets) {
            match self.compare(declared).await? {
                Difference::None => {}
                Difference::Missing => missing.push(declared.name()),
                Difference::Settings(settings) => {
                    let stream = declared.name();
                    let differences = settings.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    warn!(
                        stream,
                        differences, "not as this version declares it: see `urna deploy --dry-run`"
                    );
                }
            }
        }
        Ok(missing)
    }

    async fn compare(&self, declared: Declared<'_>) -> Result<Difference, Unavailable> {
        match self.jetstream.get_stream(declared.name()).await {
            Ok(existing) => {
                let existing = &existing.cached_info().config;
                let wanted = declared.apply_to(existing.clone(), self.replicas);
                let settings = differences(existing, &wanted);
                Ok(if settings.is_empty() { Difference::None } else { Difference::Settings(settings) })
            }
            Err(cause) if is_missing(&cause.kind()) => Ok(Difference::Missing),
            Err(cause) => Err(Unavailable::new(format!("look at the stream {}", declared.name()), cause)),
        }
    }

    /// Creates the log of a round, unless it exists. It is never changed: what was promised of it when it was created stays
    /// promised.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer or refuses it.
    pub async fn create_log(&self, log: &Stream) -> Result<(), Unavailable> {
        let config = Declared::Stream(log).apply_to(Config::default(), self.replicas);
        match self.jetstream.create_stream(config).await {
            Err(fault) if !exists(&fault.kind()) => {
                Err(Unavailable::new(format!("create the stream {}", log.name), fault))
            }
            _ => Ok(()),
        }
    }
}

fn declared<'a>(streams: &'a [Stream], buckets: &'a [Bucket]) -> impl Iterator<Item = Declared<'a>> {
    streams.iter().map(Declared::Stream).chain(buckets.iter().map(Declared::Bucket))
}

impl Declared<'_> {
    fn name(self) -> String {
        match self {
            Self::Stream(stream) => stream.name.clone(),
            Self::Bucket(bucket) => bucket.stream(),
        }
    }

    /// `base` with every setting that is declared. Settings that nobody declares stay as they are.
    fn apply_to(self, base: Config, num_replicas: usize) -> Config {
        // What would let messages in or out by another way than ours is undone.
        let base = Config { republish: None, sources: None, mirror: None, subject_transform: None, ..base };
        let common = Config { name: self.name(), storage: StorageType::File, num_replicas, ..base };
        match self {
            Self::Stream(stream) => of_stream(stream, common),
            Self::Bucket(bucket) => Config {
                subjects: bucket.subjects().into(),
                discard: DiscardPolicy::New,
                allow_rollup: true,
                allow_direct: true,
                ..common
            },
        }
    }
}

fn of_stream(stream: &Stream, common: Config) -> Config {
    let common = Config {
        subjects: vec![stream.subject.clone()],
        retention: RetentionPolicy::Limits,
        duplicate_window: DUPLICATE_WINDOW,
        max_messages: -1,
        max_bytes: -1,
        no_ack: false,
        ..common
    };
    match stream.retention {
        Retention::Everything => {
            Config { discard: DiscardPolicy::New, deny_delete: true, deny_purge: true, ..common }
        }
        Retention::PerSubject(newest) => {
            Config { discard: DiscardPolicy::Old, max_messages_per_subject: newest, ..common }
        }
        Retention::OncePerSubject => Config {
            discard: DiscardPolicy::New,
            discard_new_per_subject: true,
            max_messages_per_subject: 1,
            ..common
        },
        Retention::Age(age) => Config { discard: DiscardPolicy::Old, max_age: age, ..common },
    }
}

/// Every setting that [`Declared::apply_to`] may change.
fn differences(existing: &Config, wanted: &Config) -> Vec<SettingDifference> {
    let seconds = |duration: Duration| format!("{} s", duration.as_secs());
    let settings = |config: &Config| {
        [
            ("subjects", config.subjects.join(" ")),
            ("storage", format!("{:?}", config.storage).to_lowercase()),
            ("replicas", config.num_replicas.to_string()),
            ("retention", format!("{:?}", config.retention).to_lowercase()),
            ("discard", format!("{:?}", config.discard).to_lowercase()),
            ("duplicate window", seconds(config.duplicate_window)),
            ("max messages per subject", config.max_messages_per_subject.to_string()),
            ("max age", seconds(config.max_age)),
            ("deny delete", config.deny_delete.to_string()),
            ("deny purge", config.deny_purge.to_string()),
            ("allow rollup", config.allow_rollup.to_string()),
            ("allow direct", config.allow_direct.to_string()),
            ("discard new per subject", config.discard_new_per_subject.to_string()),
            ("max messages", config.max_messages.to_string()),
            ("max bytes", config.max_bytes.to_string()),
            ("no acknowledgements", config.no_ack.to_string()),
            ("republish", config.republish.is_some().to_string()),
            ("sources", config.sources.is_some().to_string()),
            ("mirror", config.mirror.is_some().to_string()),
            ("subject transform", config.subject_transform.is_some().to_string()),
        ]
    };
    let both = settings(existing).into_iter().zip(settings(wanted));
    let differing = both.filter(|((_, is), (_, declared))| is != declared);
    differing.map(|((setting, is), (_, declared))| SettingDifference { setting, is, declared }).collect()
}

impl fmt::Display for SettingDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} instead of {}", self.setting, self.is, self.declared)
    }
}

fn exists(kind: &CreateStreamErrorKind) -> bool {
    matches!(kind, CreateStreamErrorKind::JetStream(fault) if fault.error_code() == ErrorCode::STREAM_NAME_EXIST)
}

pub(crate) fn is_missing(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(fault) if fault.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_is_not_as_declared_is_named_with_both_values() {
        let rounds = Stream::rounds();
        let as_declared = Declared::Stream(&rounds).apply_to(Config::default(), 1);
        assert_eq!(
            differences(&as_declared, &Declared::Stream(&rounds).apply_to(as_declared.clone(), 1)),
            []
        );
        let existing =
            Config { max_messages_per_subject: 1, description: Some("ours".into()), ..as_declared };
        let wanted = Declared::Stream(&rounds).apply_to(existing.clone(), 3);
        let found: Vec<String> = differences(&existing, &wanted).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["replicas: 1 instead of 3", "max messages per subject: 1 instead of 64"]);
        assert_eq!(wanted.description, existing.description, "what nobody declares stays");
    }

    #[test]
    fn streams_that_keep_everything_deny_delete_and_purge() {
        let dead = Stream::dead_letters();
        let config = Declared::Stream(&dead).apply_to(Config::default(), 1);
        assert!(config.deny_delete && config.deny_purge && config.discard == DiscardPolicy::New);
    }
}
