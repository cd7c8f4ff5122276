//! The intake: durable consumer → actor → acknowledgement.
//!
//! The actor's reply is the acknowledgement, so what was acknowledged was done:
//!
//! | reply | becomes |
//! |---|---|
//! | `Ok` | acknowledged |
//! | [`Fault::Retry`] | delivered again, later |
//! | [`Fault::Refuse`] | told to the DEAD stream, never delivered again |
//! | the actor is gone | delivered again, to whoever reads next |

use std::collections::VecDeque;
use std::time::Duration;

use actix::dev::RecipientRequest;
use actix::{Message, Recipient};
use async_nats::jetstream::AckKind;
use metrics::counter;
use subjects::{Durable, Heard, MessageBuried, MessageId, Timestamp, Unreadable};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::reader::{Delivered, Reader, Taken};
use crate::{Bus, Clock, Expect, LastRead, Letter, TraceContext, Unavailable};

/// The pauses before something is tried again, doubled from the first to the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

/// The shortest time between two runs for an actor that keeps its own place, once it has all there is. What each run
/// costs, a transaction and an announcement, is paid for many messages together while they come in quickly.
pub const RUN_EVERY: Duration = Duration::from_millis(20);
/// The same behind a run of so many bytes or more: what runs do not cost then is left for those who write.
pub const LARGE_RUN_EVERY: Duration = Duration::from_millis(50);
/// From so many bytes on a run is large.
pub const LARGE_RUN_BYTES: usize = 16 * 1024;

/// How long a run waits for messages that are on their way.
const RUN_FILLS_WITHIN: Duration = Duration::from_millis(50);

/// How many full runs are decoded while the actor handles another.
const DECODING: usize = 2;

/// Why a message was not handled. One question decides: could this very message succeed later?
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It could.
    #[error("{0}")]
    Retry(String),
    /// It never will.
    #[error("{0}")]
    Refuse(String),
}

/// One message for an actor.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Fault>")]
pub struct Delivery<M: 'static> {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// Where it stands in a chain of causes.
    pub trace: Option<TraceContext>,
    /// What it says.
    pub message: M,
}

/// Messages for an actor that keeps its own place: contiguous, in the order of the stream.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Fault>")]
pub struct Run<M: 'static> {
    /// The messages. One that cannot be read is here too, so that its place is passed.
    pub messages: Vec<InOrder<M>>,
    /// How many messages lay behind them.
    pub behind: u64,
}

/// One message of a [`Run`].
#[derive(Debug)]
pub struct InOrder<M> {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// Where it stands in a chain of causes.
    pub trace: Option<TraceContext>,
    /// When it was stored.
    pub stored_at: Option<Timestamp>,
    /// What it says; it has been told to the DEAD stream when it cannot be read.
    pub message: Result<M, Unreadable>,
}

/// The question for an actor that keeps its own place: what it has handled last.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<LastRead, Fault>")]
pub struct Position;

/// What feeds an actor: the bus, the durable name, the clock for the dead, and when to stop.
#[derive(Clone, Debug)]
pub struct Intake {
    /// The connection.
    pub bus: Bus,
    /// The durable consumer.
    pub durable: Durable,
    /// For the moment of burial.
    pub clock: Clock,
    /// When to stop; what is in hand is finished first.
    pub stop: CancellationToken,
}

/// The actor does not answer any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the actor is gone")]
pub struct ActorGone;

impl Intake {
    /// Feeds messages one by one. Redelivery may change their order.
    ///
    /// # Errors
    /// [`ActorGone`] when the actor has stopped; otherwise returns when told to stop.
    pub async fn each<M>(self, to: Recipient<Delivery<M>>) -> Result<(), ActorGone>
    where
        M: Heard + Send + 'static,
    {
        self.begin().await;
        let mut pause = Pause::default();
        while !self.stop.is_cancelled() {
            match self.read_each(&to, &mut pause).await {
                Ok(()) => return Ok(()),
                Err(Interrupted::ActorGone) => return Err(ActorGone),
                Err(Interrupted::Later(why)) => pause.wait(&self, &why).await,
            }
        }
        Ok(())
    }

    async fn read_each<M>(&self, to: &Recipient<Delivery<M>>, pause: &mut Pause) -> Result<(), Interrupted>
    where
        M: Heard + Send + 'static,
    {
        let consumer = self.bus.durable(&self.durable).await?;
        let mut reader = Reader::open(&consumer).await?;
        while let Some(batch) = self.stop.run_until_cancelled(reader.next()).await {
            for delivered in batch? {
                let reply = self.hand_over(&delivered.letter, to).await?;
                let acknowledgement = match reply {
                    Ok(()) => AckKind::Ack,
                    Err(Fault::Retry(why)) => {
                        warn!(durable = self.durable.name, why, "will try again");
                        AckKind::Nak(Some(backoff(delivered.deliveries)))
                    }
                    Err(Fault::Refuse(why)) => {
                        self.bury(&delivered.letter, &why).await?;
                        AckKind::Term
                    }
                };
                self.acknowledge(&delivered, acknowledgement).await?;
            }
            pause.reset();
        }
        Ok(())
    }

    async fn hand_over<M>(
        &self,
        letter: &Letter,
        to: &Recipient<Delivery<M>>,
    ) -> Result<Result<(), Fault>, Interrupted>
    where
        M: Heard + Send + 'static,
    {
        let message = match M::hear(&letter.subject, &letter.payload) {
            Ok(message) => message,
            Err(why) => return Ok(Err(Fault::Refuse(why.to_string()))),
        };
        let delivery = Delivery { sequence: letter.sequence, trace: letter.trace, message };
        to.send(delivery).await.map_err(|_| Interrupted::ActorGone)
    }

    /// Feeds messages in order, without a gap, from the place the actor itself keeps. The durable is made anew at
    /// that place at the start, after any fault and when the server delivers something a second time: order is
    /// never guessed.
    ///
    /// # Errors
    /// [`ActorGone`] when the actor has stopped; otherwise returns when told to stop.
    pub async fn in_order<M>(
        self,
        position: Recipient<Position>,
        to: Recipient<Run<M>>,
    ) -> Result<(), ActorGone>
    where
        M: Heard + Send + 'static,
    {
        self.begin().await;
        let mut pause = Pause::default();
        while !self.stop.is_cancelled() {
            match self.read_in_order(&position, &to, &mut pause).await {
                Ok(()) => return Ok(()),
                Err(Interrupted::ActorGone) => return Err(ActorGone),
                Err(Interrupted::Later(why)) => pause.wait(&self, &why).await,
            }
        }
        Ok(())
    }

    async fn read_in_order<M>(
        &self,
        position: &Recipient<Position>,
        to: &Recipient<Run<M>>,
        pause: &mut Pause,
    ) -> Result<(), Interrupted>
    where
        M: Heard + Send + 'static,
    {
        let read = position.send(Position).await.map_err(|_| Interrupted::ActorGone)??;
        if let Some(found) = self.bus.put_back(&self.durable.stream, read).await? {
            error!(durable = self.durable.name, stream = self.durable.stream, %found);
            return Err(Interrupted::Later(found.to_string()));
        }
        let mut last = read.sequence;
        let consumer = self.bus.durable_at(&self.durable, last + 1).await?;
        let mut reader = Reader::open(&consumer).await?;
        // While the actor works on a run, the next ones are decoded and those behind them read.
        let (mut decoding, mut in_hand) = (VecDeque::new(), None);
        while let Some(taken) = self.stop.run_until_cancelled(reader.next_run(RUN_FILLS_WITHIN)).await {
            let Taken { delivered, bytes, is_full } = taken?;
            let Some(newest) = delivered.last() else { continue };
            let (behind, after) = (newest.behind, last);
            let next_at = Instant::now() + run_every(bytes);
            last = newest.letter.sequence;
            decoding.push_back(self.bus.compute(move || decode::<M>(delivered, after)));
            let may_wait = if is_full && behind > 0 { DECODING } else { 0 };
            while decoding.len() > may_wait
                && let Some(oldest) = decoding.pop_front()
            {
                self.hand_over_run(oldest, &mut in_hand, to).await?;
            }
            pause.reset();
            if behind == 0 {
                self.finish(in_hand.take()).await?;
                let _ = tokio::time::timeout_at(next_at, self.stop.cancelled()).await;
            }
        }
        self.finish(in_hand).await
    }

    /// Hands a decoded run to the actor, once it has done the one before.
    async fn hand_over_run<M>(
        &self,
        decoding: JoinHandle<Result<Decoded<M>, Interrupted>>,
        in_hand: &mut Option<InHand<M>>,
        to: &Recipient<Run<M>>,
    ) -> Result<(), Interrupted>
    where
        M: Heard + Send + 'static,
    {
        let decoded =
            decoding.await.map_err(|cause| Interrupted::Later(format!("failed to decode: {cause}")))?;
        let Decoded { messages, unreadable, newest } = decoded?;
        for (letter, why) in unreadable {
            self.bury(&letter, &why).await?;
        }
        self.finish(in_hand.take()).await?;
        let reply = to.send(Run { messages, behind: newest.behind });
        *in_hand = Some(InHand { reply, newest });
        Ok(())
    }

    /// Waits until the actor has done a run, and acknowledges it.
    async fn finish<M>(&self, in_hand: Option<InHand<M>>) -> Result<(), Interrupted>
    where
        M: Heard + Send + 'static,
    {
        let Some(InHand { reply, newest }) = in_hand else { return Ok(()) };
        reply.await.map_err(|_| Interrupted::ActorGone)??;
        self.acknowledge(&newest, AckKind::Ack).await
    }

    async fn begin(&self) {
        self.stop.run_until_cancelled(self.bus.declared()).await;
    }

    async fn acknowledge(&self, delivered: &Delivered, kind: AckKind) -> Result<(), Interrupted> {
        let told = delivered.raw.ack_with(kind).await;
        told.map_err(|cause| Interrupted::Later(format!("failed to acknowledge: {cause}")))
    }

    /// Tells the DEAD stream of a message that no redelivery can help. Its id makes telling it twice harmless.
    async fn bury(&self, letter: &Letter, why: &str) -> Result<(), Interrupted> {
        let (durable, stream) = (self.durable.name, &self.durable.stream);
        error!(durable, stream, sequence = letter.sequence, why, "buried a message");
        let buried = MessageBuried {
            at: self.clock.now(),
            durable: durable.to_owned(),
            stream: stream.clone(),
            sequence: letter.sequence,
            subject: letter.subject.clone(),
            why: why.to_owned(),
        };
        let id = MessageId::named(format!("dead.{durable}.{stream}.{}", letter.sequence));
        let trace = letter.trace.map_or_else(TraceContext::start, TraceContext::next);
        let told = self.bus.say(&buried, &id, Expect::Nothing, trace).await;
        told.map_err(|cause| Interrupted::Later(format!("failed to bury a message: {cause}")))?;
        counter!("urna_nats_buried_total", "durable" => durable).increment(1);
        Ok(())
    }
}

/// The shortest time from the begin of a run of so many bytes to the begin of the next.
fn run_every(bytes: usize) -> Duration {
    if bytes < LARGE_RUN_BYTES { RUN_EVERY } else { LARGE_RUN_EVERY }
}

/// Messages that are contiguous behind `last`, decoded.
fn decode<M: Heard>(batch: Vec<Delivered>, last: u64) -> Result<Decoded<M>, Interrupted> {
    let (mut messages, mut unreadable) = (Vec::with_capacity(batch.len()), Vec::new());
    for (delivered, expected) in batch.iter().zip(last + 1..) {
        let letter = &delivered.letter;
        if letter.sequence != expected {
            return Err(Interrupted::Later(format!("sequence {} came, not {expected}", letter.sequence)));
        }
        let message = M::hear(&letter.subject, &letter.payload);
        if let Err(why) = &message {
            unreadable.push((letter.clone(), why.to_string()));
        }
        let Letter { sequence, trace, stored_at, .. } = *letter;
        messages.push(InOrder { sequence, trace, stored_at, message });
    }
    let newest =
        batch.into_iter().next_back().ok_or_else(|| Interrupted::Later("an empty batch".to_owned()))?;
    Ok(Decoded { messages, unreadable, newest })
}

/// A run that is decoded.
struct Decoded<M> {
    messages: Vec<InOrder<M>>,
    /// Those that nobody can read, and why.
    unreadable: Vec<(Letter, String)>,
    newest: Delivered,
}

/// A run that an actor works on.
struct InHand<M: Heard + Send + 'static> {
    reply: RecipientRequest<Run<M>>,
    /// Its newest message, by which all of it is acknowledged.
    newest: Delivered,
}

/// Why reading stopped.
enum Interrupted {
    ActorGone,
    Later(String),
}

impl From<Unavailable> for Interrupted {
    fn from(cause: Unavailable) -> Self {
        Self::Later(cause.to_string())
    }
}

impl From<Fault> for Interrupted {
    fn from(fault: Fault) -> Self {
        Self::Later(fault.to_string())
    }
}

/// Waits longer from try to try.
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(PAUSES[0])
    }
}

impl Pause {
    async fn wait(&mut self, intake: &Intake, why: &str) {
        warn!(durable = intake.durable.name, stream = intake.durable.stream, why, "reading was interrupted");
        let _ = tokio::time::timeout(self.0, intake.stop.cancelled()).await;
        self.0 = (self.0 * 2).min(PAUSES[1]);
    }

    fn reset(&mut self) {
        self.0 = PAUSES[0];
    }
}

fn backoff(deliveries: i64) -> Duration {
    let doublings = u32::try_from(deliveries.saturating_sub(1)).unwrap_or(0).min(10);
    (PAUSES[0] * 2u32.pow(doublings)).min(PAUSES[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_run_is_followed_later_by_the_next_than_a_small_one() {
        assert_eq!((run_every(0), run_every(LARGE_RUN_BYTES - 1)), (RUN_EVERY, RUN_EVERY));
        assert_eq!((run_every(LARGE_RUN_BYTES), run_every(usize::MAX)), (LARGE_RUN_EVERY, LARGE_RUN_EVERY));
    }
}
