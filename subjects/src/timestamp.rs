//! A moment, as it is written in every message: RFC 3339, UTC.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// A moment in UTC. Written as RFC 3339, for example `2026-11-21T09:30:00.25Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

/// The years that can be written.
const YEARS: RangeInclusive<i32> = 0..=9999;

/// Why a text is no moment. The words can be shown to whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a moment such as 2026-11-21T09:30:00Z")]
pub struct MalformedTimestamp;

impl Timestamp {
    /// Milliseconds since 1970-01-01T00:00:00Z; `None` outside the years 0 to 9999, which RFC 3339 ends with.
    pub fn from_unix_millis(millis: i64) -> Option<Self> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok().and_then(Self::in_utc)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn unix_millis(self) -> i64 {
        i64::try_from(self.0.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
    }

    /// Takes RFC 3339 in any zone.
    ///
    /// # Errors
    /// [`MalformedTimestamp`] for anything else, and for a moment whose year in UTC is not one of 0 to 9999: the last hours
    /// of 9999 west of Greenwich, and the first of 0 east of it.
    pub fn parse(text: &str) -> Result<Self, MalformedTimestamp> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| MalformedTimestamp)?;
        Self::in_utc(moment).ok_or(MalformedTimestamp)
    }

    fn in_utc(moment: OffsetDateTime) -> Option<Self> {
        let moment = moment.checked_to_offset(UtcOffset::UTC)?;
        YEARS.contains(&moment.year()).then_some(Self(moment))
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
    fn a_moment_that_cannot_be_written_in_utc_is_none() {
        let within = ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59+05:00", "0000-01-01T00:00:00-01:00"];
        for text in within {
            let moment = Timestamp::parse(text).unwrap();
            assert_eq!(Timestamp::parse(&moment.to_string()), Ok(moment), "{text}");
            assert_eq!(Timestamp::from_unix_millis(moment.unix_millis()), Some(moment), "{text}");
        }
        for text in ["9999-12-31T23:59:59-05:00", "0000-01-01T00:00:00+01:00"] {
            assert_eq!(Timestamp::parse(text), Err(MalformedTimestamp), "{text}");
        }
        for millis in [i64::MIN, -62_167_219_200_001, 253_402_300_800_000, i64::MAX] {
            assert_eq!(Timestamp::from_unix_millis(millis), None, "{millis}");
        }
    }

    #[test]
    fn what_lies_ahead_is_no_time_ago() {
        let early = Timestamp::from_unix_millis(1_000).unwrap();
        let late = Timestamp::from_unix_millis(3_500).unwrap();
        assert_eq!(late.since(early), Duration::from_millis(2_500));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
