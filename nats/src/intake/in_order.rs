//! Carries out what the [ordered intake](super::ordered) decides.

use std::sync::Arc;

use actix::{MailboxError, Recipient};
use async_nats::jetstream::AckKind;
use subjects::Heard;

use super::carrier::{Carrier, Happened};
use super::messages::{ActorGone, Fault, InOrder, Position, Run};
use super::ordered::{self, Action, OrderedIntake};
use super::source::Intake;
use crate::delivered::Delivered;
use crate::pull::Incoming;
use crate::stored::StoredMessage;

/// What happens while an actor is handed messages of this kind.
type Event<M> = ordered::Event<Incoming, Vec<InOrder<M>>>;

/// The actor that is fed.
struct Fed<M: Heard + Send + 'static> {
    position: Recipient<Position>,
    to: Recipient<Run<M>>,
}

impl Intake {
    /// Feeds messages in order, without a gap, from the place the actor itself keeps. The durable is created again at
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
        let fed = Fed { position, to };
        let mut intake = OrderedIntake::new();
        let mut carrier = Carrier::new(self);
        let mut event = Event::Wake;
        loop {
            let mut failed = None;
            for action in intake.on(event, carrier.source.clock.moment()) {
                match action {
                    Action::End(outcome) => return outcome,
                    Action::Acknowledge(newest) => {
                        failed = carrier.source.acknowledge(&newest, AckKind::Ack).await.err();
                    }
                    action => begin(&mut carrier, action, &fed),
                }
            }
            event = match failed {
                Some(why) => Event::Failed(why),
                None => happened(carrier.next().await),
            };
        }
    }
}

fn begin<M>(carrier: &mut Carrier<Event<M>>, action: Action<Incoming, Vec<InOrder<M>>>, fed: &Fed<M>)
where
    M: Heard + Send + 'static,
{
    let source = Arc::clone(&carrier.source);
    match action {
        Action::AskPosition => {
            let position = fed.position.send(Position);
            carrier.spawn(async move { replied(position.await, Event::Position) });
        }
        Action::AskEnd => carrier.spawn(async move {
            let end = source.bus.last_sequence(&source.durable.stream.name).await;
            end.map_or_else(failed, Event::EndTold)
        }),
        Action::ReadPlace(sequence) => carrier.spawn(async move {
            let there = source.bus.place(&source.durable.stream.name, sequence).await;
            there.map_or_else(failed, Event::PlaceTold)
        }),
        Action::Open { next } => {
            carrier.open(async move { source.bus.durable_at(&source.durable, next).await });
        }
        Action::Read => carrier.read(),
        Action::Decode { number, messages } => {
            let decoded = source.bus.compute(move || decode::<M>(number, messages));
            carrier.spawn(async move { decoded.await.unwrap_or_else(failed) });
        }
        Action::DeadLetter { number, message, why } => carrier.spawn(async move {
            let stored = source.dead_letter(&message.stored, why).await;
            stored.map_or_else(failed, |()| Event::DeadLettered(number))
        }),
        Action::HandOver { batch, behind } => {
            let reply = fed.to.send(Run { messages: batch, behind });
            carrier.spawn(async move { replied(reply.await, |()| Event::Done) });
        }
        Action::WakeAt(moment) => carrier.wake_at(moment),
        Action::Pause { until, because } => carrier.pause(until, &because),
        // Carried out by the caller, which must wait for them.
        Action::Acknowledge(_) | Action::End(_) => {}
    }
}

fn replied<T, M: Heard>(
    reply: Result<Result<T, Fault>, MailboxError>,
    event: impl FnOnce(T) -> Event<M>,
) -> Event<M> {
    match reply {
        Ok(reply) => reply.map_or_else(failed, event),
        Err(_) => Event::ActorGone,
    }
}

fn failed<M: Heard>(why: impl ToString) -> Event<M> {
    Event::Failed(why.to_string())
}

fn decode<M: Heard>(number: u64, delivered: Vec<Delivered<Incoming>>) -> Event<M> {
    let (mut batch, mut undecodable) = (Vec::with_capacity(delivered.len()), Vec::new());
    for Delivered { message: incoming, .. } in delivered {
        let StoredMessage { sequence, trace, stored_at, .. } = incoming.stored;
        let message = M::hear(&incoming.stored.subject, &incoming.stored.payload);
        if let Err(why) = &message {
            undecodable.push((incoming, why.to_string()));
        }
        batch.push(InOrder { sequence, trace, stored_at, message });
    }
    Event::Decoded { number, batch, undecodable }
}

fn happened<M: Heard>(happened: Happened<Event<M>>) -> Event<M> {
    match happened {
        Happened::Event(event) => event,
        Happened::Opened => Event::Opened,
        Happened::Read(messages) => Event::Delivered(messages),
        Happened::Failed(why) => Event::Failed(why),
        Happened::Wake => Event::Wake,
        Happened::Stop => Event::Stop,
    }
}
