//! The words: every message, every subject, every stream and every identifier. Data only.
//!
//! - [`ids`], [`picture`], [`voter`] identifiers, impossible to hold in a wrong form
//! - [`email`] addresses of people, and which of them may vote
//! - [`letter`] characters that are not what they seem
//! - [`account`], [`session`], [`round`], [`ballot`], [`tally`], [`dead_letter`] one file for each object that messages are about
//! - [`kinds`] the list of every kind of message
//! - [`stream`] where messages are kept, and who reads them under which durable name
//! - [`bucket`] where things are kept that are too large for a message
//!
//! Payloads are JSON. What was once said can always be heard: `golden/` holds one file per message.

pub mod account;
pub mod ballot;
mod block;
pub mod bucket;
pub mod dead_letter;
pub mod email;
#[cfg(test)]
mod golden;
mod hex;
pub mod ids;
pub mod kinds;
pub mod letter;
pub mod message;
pub mod picture;
pub mod round;
pub mod session;
pub mod stream;
pub mod tally;
mod timestamp;
pub mod voter;

pub use account::{
    AccountAuthenticated, AccountAuthenticationFailed, AccountChanged, AccountMessage,
    AccountPasswordChanged, AccountRegistered, Origin, Person, Role,
};
pub use ballot::{BallotsCast, CastBallot, Choice, Place, Replaced, RoundSealed, VoteMessage};
pub use bucket::Bucket;
pub use dead_letter::MessageDeadLettered;
pub use email::{Email, EmailRule, MalformedEmail};
pub use ids::{BallotId, MalformedId, MessageId, OptionId, RoundId, SessionId, UserId};
pub use kinds::Kind;
pub use message::{Heard, Keyed, Said, Unreadable};
pub use picture::PictureId;
pub use round::{
    Change, Eligibility, Method, OptionOrder, ProgramVoters, ResultsVisibility, Round, RoundChanged,
    RoundOption, RoundState, VoterKeyCreated,
};
pub use session::{SessionEndReason, SessionEnded, SessionMessage, SessionOpened};
pub use stream::{Account, Durable, Retention, Stream};
pub use tally::{Ledger, TallyCounted};
pub use timestamp::{MalformedTimestamp, Timestamp};
pub use voter::{Voter, VoterKey};
