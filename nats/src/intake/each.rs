//! Carries out what the [unordered intake](super::unordered) decides.

use std::sync::Arc;

use actix::Recipient;
use async_nats::jetstream::AckKind;
use subjects::Heard;
use tracing::warn;

use super::carrier::{Carrier, Happened};
use super::messages::{ActorGone, Delivery, Fault};
use super::source::Intake;
use super::unordered::{Action, Event, Outcome, UnorderedIntake};
use crate::pull::Incoming;

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
        let mut intake = UnorderedIntake::new();
        let mut carrier = Carrier::new(self);
        let mut event = Event::Wake;
        loop {
            let mut failed = None;
            for action in intake.on(event, carrier.source.clock.moment()) {
                match action {
                    Action::End(outcome) => return outcome,
                    Action::Acknowledge { message, outcome } => {
                        failed = carrier.source.acknowledge(&message, ack_kind(outcome)).await.err();
                    }
                    action => begin(&mut carrier, action, &to),
                }
            }
            event = match failed {
                Some(why) => Event::Failed(why),
                None => happened(carrier.next().await),
            };
        }
    }
}

fn begin<M>(carrier: &mut Carrier<Event<Incoming>>, action: Action<Incoming>, to: &Recipient<Delivery<M>>)
where
    M: Heard + Send + 'static,
{
    let source = Arc::clone(&carrier.source);
    match action {
        Action::Open => carrier.open(async move { source.bus.durable(&source.durable).await }),
        Action::Read => carrier.read(),
        Action::HandOver(message) => {
            let to = to.clone();
            carrier.spawn(async move { hand_over(&source, message, &to).await });
        }
        Action::DeadLetter { message, why } => carrier.spawn(async move {
            let stored = source.dead_letter(&message.stored, why).await;
            stored.map_or_else(Event::Failed, |()| Event::DeadLettered)
        }),
        Action::Pause { until, because } => carrier.pause(until, &because),
        // Carried out by the caller, which must wait for them.
        Action::Acknowledge { .. } | Action::End(_) => {}
    }
}

async fn hand_over<M>(source: &Intake, message: Incoming, to: &Recipient<Delivery<M>>) -> Event<Incoming>
where
    M: Heard + Send + 'static,
{
    let stored = message.stored;
    let message = match M::hear(&stored.subject, &stored.payload) {
        Ok(message) => message,
        Err(why) => return Event::Replied(Err(Fault::Refuse(why.to_string()))),
    };
    let delivery = Delivery { sequence: stored.sequence, trace: stored.trace, message };
    let Ok(reply) = to.send(delivery).await else { return Event::ActorGone };
    if let Err(Fault::Retry(why)) = &reply {
        warn!(durable = source.durable.name, why, "will try again");
    }
    Event::Replied(reply)
}

fn happened(happened: Happened<Event<Incoming>>) -> Event<Incoming> {
    match happened {
        Happened::Event(event) => event,
        Happened::Opened => Event::Opened,
        Happened::Read(messages) => Event::Delivered(messages),
        Happened::Failed(why) => Event::Failed(why),
        Happened::Wake => Event::Wake,
        Happened::Stop => Event::Stop,
    }
}

fn ack_kind(outcome: Outcome) -> AckKind {
    match outcome {
        Outcome::Done => AckKind::Ack,
        Outcome::Again(after) => AckKind::Nak(Some(after)),
        Outcome::Never => AckKind::Term,
    }
}
