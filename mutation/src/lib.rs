//! Mutations: faults that are put into the state machines on purpose, so that the simulator can show that it would find
//! them.
//!
//! Without the feature `mutations`, which the product is built without, there are none: [`is_on`] is always `false`, and
//! the compiler leaves out what depends on it.

macro_rules! mutations {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A fault of a state machine.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutation {
            $($(#[$doc])* $name,)*
        }

        impl Mutation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

mutations! {
    /// A box's block is stored whatever the log holds.
    AppendWithoutExpectation,
    /// A box answers as soon as it appends.
    AnswerBeforeAcknowledgement,
    /// A block that was refused counts as stored.
    TakeConflictForStored,
    /// A block that was not acknowledged counts as stored.
    TakeSilenceForStored,
    /// A block that was not acknowledged counts as refused.
    TakeSilenceForRefused,
    /// Voters of a refused block are turned away.
    TurnAwayAtConflict,
    /// One ballot of a refused block is not judged again.
    ForgetOneWaiting,
    /// A block that was not found counts as refused for good.
    ForgetDoubt,
    /// Voters who wait too long are told that nothing is stored.
    TellLateVotersNothingStored,
    /// Voters who wait too long are not answered.
    LetLateVotersWait,
    /// A voter is told the place of another ballot of the block.
    MixUpPlaces,
    /// A box does not notice the seal.
    PassOverSeal,
    /// A block whose place is empty counts as stored.
    TakeNothingForStored,
    /// A block counts as stored when any message is at its place.
    TakeAnyMessageForOwn,
    /// A box appends though reading is interrupted.
    AppendWhileInterrupted,
    /// A box does not notice another message where it has folded its own.
    TrustOwnFold,
    /// A box whose log lacks a block that was acknowledged to it goes on.
    TrustAcknowledgedBlock,
    /// A late retry of a ballot that was replaced counts as a new one.
    ForgetReplacedIds,
    /// A form that is judged again is not known by the id that it was given.
    ForgetIdsOfForms,
    /// A changed ballot does not say what it replaces.
    ForgetWhatIsReplaced,
    /// A changed ballot replaces what was there before the block.
    ReplaceTheOlder,
    /// A ballot is changed where the round forbids it.
    ChangeWhereForbidden,
    /// Another choice under a known id is answered as a retry.
    AcceptReusedId,
    /// A box passes over the first of several messages.
    PassOverBlock,
    /// A retry is told that its ballot is the first of its block.
    ForgetPlaceOfRetry,
    /// A reader does not notice that a message is missing.
    ReadOverGaps,
    /// A reader trusts a log that is shorter than what it has read.
    ReadShorterLog,
    /// A reader of a log is calmed by an empty place.
    TrustEmptyPlaces,
    /// The intake does not notice that messages are missing or come again.
    FeedOverGaps,
    /// The intake hands a batch over before its undecodable messages are dead-lettered.
    ForgetDeadLetters,
    /// The tally counts and does not move its cursor.
    CountWithoutCursor,
    /// The tally moves its cursor and does not count.
    MoveCursorFirst,
    /// The tally counts a changed ballot and keeps the votes of the one before.
    KeepReplacedVotes,
    /// The tally does not count what cannot be decoded.
    PassOverUndecodable,
    /// The tally calls its counts final when nothing is behind them.
    CallCountsFinal,
    /// The tally announces over what another tally has announced.
    AnnounceWithoutExpectation,
    /// The tally does not announce what it finds committed.
    AnnounceNothingAtStart,
    /// The tally does not count closed rounds.
    ForgetClosedRounds,
    /// The tally takes every closed round for done.
    FinishUnchecked,
    /// The tally does not notice that an operator has replaced its counts.
    ForgetRepairs,
    /// The seal is written before the state.
    SealBeforeState,
    /// The key is not destroyed.
    KeepKey,
    /// The log is sealed for good before it is counted.
    SealUncountedLog,
    /// What has failed for a closed round is not tried again.
    ForgetFailure,
    /// A round is opened without a key.
    OpenWithoutKey,
}

#[cfg(feature = "mutations")]
std::thread_local! {
    static CURRENT: std::cell::Cell<Option<Mutation>> = const { std::cell::Cell::new(None) };
}

/// Whether a mutation is on, on this thread.
#[cfg(feature = "mutations")]
pub fn is_on(mutation: Mutation) -> bool {
    CURRENT.get() == Some(mutation)
}

/// Whether a mutation is on: never.
#[cfg(not(feature = "mutations"))]
#[inline(always)]
pub const fn is_on(_: Mutation) -> bool {
    false
}

/// Turns a mutation on, on this thread, and every other off.
#[cfg(feature = "mutations")]
pub fn turn_on(mutation: Option<Mutation>) {
    CURRENT.set(mutation);
}
