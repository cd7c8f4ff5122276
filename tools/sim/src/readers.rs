//! Streams that are read along, by the machine that the product reads them with.

use nats::ordered_reader::{Action, Event, OpenAt, OrderedReader, Request, StartAt};
use nats::{AtPlace, Delivered};

use crate::agenda::{MILLI, SECOND};
use crate::election::{Election, Happening};
use crate::process::Kind;
use crate::server::{Answer, Call, Owner, Part, Stored, StreamName};

/// After how long a process notices that the server does not know its consumer any more.
const HEARTBEATS: u64 = 4 * SECOND;

/// A stream that is read along.
#[derive(Debug)]
pub(crate) struct Along {
    machine: OrderedReader,
    stream: StreamName,
    consumer: Option<u64>,
}

impl Along {
    pub fn new(stream: StreamName, start: StartAt) -> Self {
        Self { machine: OrderedReader::new(start), stream, consumer: None }
    }
}

impl Election {
    fn reader(&mut self, owner: Owner) -> Option<&mut Along> {
        if !self.is_alive(owner) {
            return None;
        }
        match (&mut self.processes[owner.process].kind, owner.part) {
            (Kind::Vote(vote), Part::BoxReader) => (!vote.is_stopped).then_some(&mut vote.reader),
            (Kind::Vote(vote), Part::RoundsReader) => Some(&mut vote.rounds),
            (Kind::Tally(tally), Part::RoundsReader) => Some(&mut tally.rounds),
            (Kind::Round(round), Part::RoundsReader) => Some(&mut round.rounds),
            (Kind::Round(round), Part::TalliesReader) => Some(&mut round.tallies),
            (Kind::Result(result), Part::TalliesReader) => Some(&mut result.tallies),
            _ => None,
        }
    }

    /// Something happens to a reader.
    pub fn reader_happens(&mut self, owner: Owner, event: Event<Stored>) {
        let now = self.clocks(owner.process);
        let Some(reader) = self.reader(owner) else { return };
        for action in reader.machine.on(event, now) {
            match action {
                Action::Deliver { messages, at_end } => self.read_along(owner, messages, at_end),
                Action::Request(request) => self.reader_asks(owner, request),
                Action::GiveUp(found) => {
                    self.say(format_args!("process {} gives up: {found}", owner.process));
                    let pause = self.restart_pause();
                    self.die(owner.process, pause);
                }
            }
        }
    }

    fn reader_asks(&mut self, owner: Owner, request: Request) {
        let Some(reader) = self.reader(owner) else { return };
        let (stream, consumer) = (reader.stream, reader.consumer);
        if let Request::Read = request {
            if let Some(consumer) = consumer.and_then(|number| self.server.consumers.get_mut(&number)) {
                consumer.is_asked = true;
                self.send_ready(stream);
            } else if let Some(number) = consumer {
                self.after(HEARTBEATS, Happening::ConsumerGone(owner, number));
            }
            return;
        }
        reader.consumer = None;
        if let Some(number) = consumer {
            self.server.consumers.remove(&number);
            if owner.part == Part::BoxReader {
                self.box_reading_is_interrupted(owner.process);
            }
        }
        match request {
            Request::AskEnd => self.call(owner, Call::LastSequence(stream)),
            Request::ReadPlace(sequence) => self.call(owner, Call::MessageAt(stream, sequence)),
            Request::Open(OpenAt::Sequence(sequence)) => self.call(owner, Call::Open(stream, Some(sequence))),
            Request::Open(OpenAt::NewestPerSubject) => self.call(owner, Call::Open(stream, None)),
            Request::WakeAt { moment, .. } => {
                let moment = self.moment_of(owner.process, moment);
                self.agenda.plan(moment, Happening::Wake(owner));
            }
            Request::Read => {}
        }
    }

    pub fn reader_is_answered(&mut self, owner: Owner, answer: Answer) {
        let event = match answer {
            Answer::Sequence(end) => Event::EndTold(end),
            Answer::Message(None) => Event::PlaceTold(AtPlace::Nothing),
            Answer::Message(Some(stored)) => {
                Event::PlaceTold(AtPlace::Message { stored_at: Some(stored.stored_at) })
            }
            Answer::Opened(consumer, pending) => {
                if let Some(reader) = self.reader(owner) {
                    reader.consumer = Some(consumer);
                }
                Event::Opened { pending }
            }
            _ => Event::Failed("no answer".to_owned()),
        };
        self.reader_happens(owner, event);
    }

    /// Every reader of a process learns that its connection is lost.
    pub fn lose_readers(&mut self, process: usize) {
        let life = self.processes[process].life;
        for part in [Part::BoxReader, Part::RoundsReader, Part::TalliesReader] {
            self.reader_happens(Owner { process, life, part }, Event::ConnectionLost);
        }
    }

    /// Sends what is ready to every consumer of a stream that has asked.
    pub fn send_ready(&mut self, stream: StreamName) {
        if self.server.is_down {
            return;
        }
        let asked = |consumer: &crate::server::Consumer| consumer.is_asked && consumer.stream == stream;
        let numbers: Vec<u64> =
            self.server.consumers.iter().filter(|(_, it)| asked(it)).map(|(number, _)| *number).collect();
        for number in numbers {
            let most = if self.random.chance(300) { 1 + self.random.index(5) } else { 500 };
            let mut messages = self.server.take(number, most);
            let Some(consumer) = self.server.consumers.get_mut(&number) else { continue };
            if messages.is_empty() {
                continue;
            }
            consumer.is_asked = false;
            let owner = consumer.owner;
            // A connection that is too slow drops messages, and those behind them arrive.
            let loses_delivery = self.plan.noise.loses_delivery;
            if messages.len() > 1 && self.noise(loses_delivery) {
                let lost = self.random.index(messages.len() - 1);
                messages.remove(lost);
            }
            let slows_delivery = self.plan.noise.slows_delivery;
            let is_slow = self.noise(slows_delivery);
            let on_its_way = if is_slow { self.random.between(MILLI, 500 * MILLI) } else { self.latency() };
            self.after(on_its_way, Happening::Deliver(owner, number, messages));
        }
    }

    pub fn delivery_arrives(&mut self, owner: Owner, number: u64, messages: Vec<(Stored, u64, u64)>) {
        if !self.is_alive(owner) {
            return;
        }
        if let Some(resumes_at) = self.paused_until(owner.process) {
            return self.agenda.plan(resumes_at, Happening::Deliver(owner, number, messages));
        }
        if let Part::Intake(asks) = owner.part {
            let messages = messages.into_iter().map(delivered).collect();
            if self.is_asked(owner.process, asks) {
                self.intake_is_delivered(owner, number, messages);
            }
            return;
        }
        if self.reader(owner).is_some_and(|reader| reader.consumer == Some(number)) {
            let messages = messages.into_iter().map(delivered).collect();
            self.reader_happens(owner, Event::Delivered(messages));
        }
    }

    pub fn consumer_is_gone(&mut self, owner: Owner, number: u64) {
        if !self.is_alive(owner) {
            return;
        }
        if let Some(resumes_at) = self.paused_until(owner.process) {
            return self.agenda.plan(resumes_at, Happening::ConsumerGone(owner, number));
        }
        if let Part::Intake(asks) = owner.part {
            if self.is_asked(owner.process, asks) {
                self.intake_has_no_consumer(owner.process, number);
            }
        } else if self.reader(owner).is_some_and(|reader| reader.consumer == Some(number)) {
            self.reader_happens(owner, Event::Failed("no heartbeat".to_owned()));
        }
    }

    /// Messages of a stream that is read along reach the part that reads.
    fn read_along(&mut self, owner: Owner, messages: Vec<Stored>, at_end: bool) {
        match owner.part {
            Part::BoxReader => self.box_reads(owner.process, messages, at_end),
            Part::RoundsReader => self.rounds_are_read(owner.process, &messages),
            Part::TalliesReader => self.tallies_are_read(owner.process, &messages),
            _ => {}
        }
    }
}

/// A delivery, with the number that it has among those of its consumer and how many messages are behind it.
pub(crate) fn delivered((message, number, behind): (Stored, u64, u64)) -> Delivered<Stored> {
    Delivered {
        sequence: message.sequence,
        stored_at: Some(message.stored_at),
        consumer_sequence: number,
        deliveries: 1,
        behind,
        bytes: 100,
        message,
    }
}
