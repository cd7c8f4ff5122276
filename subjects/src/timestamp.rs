//! A moment, as it is written in every message: RFC 3339, UTC.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// A moment in UTC. Written as RFC 3339, for example `2026-11-21T09:30:00.25Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

/// Why a text is no moment. The words can be shown to whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a moment such as 2026-11-21T09:30:00Z")]
pub struct MalformedTimestamp;

impl Timestamp {
    /// Milliseconds since 1970-01-01T00:00:00Z; `None` beyond the year 9999.
    pub fn from_unix_millis(millis: i64) -> Option<Self> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok().map(Self)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn unix_millis(self) -> i64 {
        i64::try_from(self.0.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
    }

    /// Takes RFC 3339 in any zone.
    ///
    /// # Errors
    /// [`MalformedTimestamp`] for anything else.
    pub fn parse(text: &str) -> Result<Self, MalformedTimestamp> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| MalformedTimestamp)?;
        Ok(Self(moment.to_offset(UtcOffset::UTC)))
    }

    /// As people say it, to the minute: `21 November 2026, 09:30 UTC`.
    pub fn words(self) -> String {
        let words = format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
        self.0.format(words).unwrap_or_else(|_| self.to_string())
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Timestamp) -> Duration {
        (self.0 - earlier.0).try_into().unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.format(&Rfc3339).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_rfc_3339_in_utc() {
        let moment = Timestamp::from_unix_millis(1_795_253_400_250).unwrap();
        assert_eq!(moment.to_string(), "2026-11-21T09:30:00.25Z");
        assert_eq!(serde_json::to_string(&moment).unwrap(), "\"2026-11-21T09:30:00.25Z\"");
        assert_eq!(moment.unix_millis(), 1_795_253_400_250);
        assert_eq!(moment.words(), "21 November 2026, 09:30 UTC");
    }

    #[test]
    fn a_moment_of_any_zone_is_read_as_utc() {
        let moment = Timestamp::parse("2026-11-21T10:30:00.250+01:00").unwrap();
        assert_eq!(moment.to_string(), "2026-11-21T09:30:00.25Z");
        assert_eq!(Timestamp::parse("tomorrow"), Err(MalformedTimestamp));
    }

    #[test]
    fn what_lies_ahead_is_no_time_ago() {
        let early = Timestamp::from_unix_millis(1_000).unwrap();
        let late = Timestamp::from_unix_millis(3_500).unwrap();
        assert_eq!(late.since(early), Duration::from_millis(2_500));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
