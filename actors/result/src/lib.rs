//! The result: tells everyone who watches.
//!
//! - hears   [`RoundChanged`], [`TallyCounted`] (one reader in each process)
//! - says    nothing on the bus; pages, JSON and server-sent events
//! - keeps   the newest counts of each round, in memory
//!
//! Promise: a watcher sees the newest counts, and a slow one skips to them and costs no memory.
//!
//! Promise: results that are hidden are told to nobody but whom the round shows them to.

mod page;
pub mod rules;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, MessageResult, WrapFuture,
};
use metrics::counter;
use nats::{Bus, Clock, Monotonic, Projection, Renewed, TraceContext};
use subjects::{Round, RoundChanged, RoundId, RoundState, Stream, TallyCounted};
use templates::Counting;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use web::{Check, Edge};

pub use page::operations;

use crate::rules::beat::Beat;
use crate::rules::{Shown, View};

/// How often the end of a watched round's log is compared with its counts.
const COMPARE_EVERY: Duration = Duration::from_secs(1);
/// How long the counts may stand still behind the log before watchers are told that counting waits.
const WAITING_AFTER: Duration = Duration::from_secs(2);
/// How long after somebody looked at a round it counts as watched.
const WATCHED_FOR: Duration = Duration::from_secs(60);

/// How many events a second a watcher gets at most, unless a setting says otherwise.
pub const EVENTS_PER_SECOND: u32 = 10;

/// What the result actor is given.
#[derive(Clone, Debug)]
pub struct Given {
    /// The connection.
    pub bus: Bus,
    /// The present moment.
    pub clock: Clock,
    /// Tells who looks at a page.
    pub edge: Edge,
    /// The time between two events of one round, when there is always something to tell.
    pub event_every: Duration,
    /// When the streams to watchers end, so that the server can stop.
    pub closing: CancellationToken,
    /// When to stop.
    pub stop: CancellationToken,
}

/// A running result actor. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    given: Given,
    actor: Addr<Results>,
    /// Whether every round is shown with its counts. Before, a round would be shown without them.
    begun: Arc<AtomicBool>,
}

/// The actor.
pub struct Results {
    bus: Bus,
    clock: Clock,
    event_every: Duration,
    sources: Option<Sources>,
    boards: HashMap<RoundId, Board>,
}

struct Sources {
    rounds: Projection<RoundId, RoundChanged>,
    tallies: Projection<RoundId, TallyCounted>,
}

/// What is known of one round, and who is told.
struct Board {
    show: watch::Sender<Shown>,
    /// Changes only when the round does: many wait for no more than that, and counts must not wake them.
    stage: watch::Sender<()>,
    beat: Beat,
    /// A newer view waits for its moment.
    is_due: bool,
    /// When somebody last asked for it.
    looked_at: Option<Monotonic>,
    counting: Counting,
    /// The end of the log when it was last asked for.
    end: u64,
    behind_since: Option<Monotonic>,
}

/// Where to begin to look; sent once, when both sources have caught up.
#[derive(Message)]
#[rtype(result = "()")]
struct Begin(Sources);

/// Finds what watchers of a round see, now and from now on.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Option<Watched>")]
pub struct Watch(pub RoundId);

/// What watchers of a round follow.
#[derive(Clone, Debug)]
pub struct Watched {
    /// What is shown, and to whom.
    pub shown: watch::Receiver<Shown>,
    /// Whether the round has changed.
    pub stage: watch::Receiver<()>,
}

/// Starts the actor on the current arbiter.
pub fn start(given: Given) -> Handle {
    let (bus, stop, event_every) = (&given.bus, &given.stop, given.event_every);
    let clock = given.clock.clone();
    let actor =
        Results { bus: bus.clone(), clock, event_every, sources: None, boards: HashMap::new() }.start();
    let to = actor.clone().recipient::<Renewed<RoundId>>();
    let rounds = Projection::follow_for(bus, &Stream::rounds(), stop.clone(), to.clone());
    let tallies = Projection::follow_for(bus, &Stream::tallies(), stop.clone(), to);
    let begun = Arc::new(AtomicBool::new(false));
    let begin = {
        let (actor, begun) = (actor.clone(), Arc::clone(&begun));
        async move {
            rounds.caught_up().await;
            tallies.caught_up().await;
            let told = actor.send(Begin(Sources { rounds, tallies })).await;
            begun.store(told.is_ok(), Ordering::Release);
        }
    };
    let stop = given.stop.clone();
    given.bus.spawn(async move { stop.run_until_cancelled(begin).await });
    Handle { given, actor, begun }
}

impl Handle {
    /// What this process needs to do its work.
    pub fn checks(&self) -> [Check; 2] {
        let begun = Arc::clone(&self.begun);
        [
            Check::nats(&self.given.bus),
            Check::ready("results", move || std::future::ready(begun.load(Ordering::Acquire))),
        ]
    }
}

impl Results {
    /// Puts together what watchers of a round should see, and shows it now or when its moment comes.
    fn renew(&mut self, id: &RoundId, context: &mut Context<Self>) {
        let Some((view, round)) = self.view(id) else { return };
        let now = self.clock.monotonic();
        let Some(board) = self.boards.get_mut(id) else {
            self.boards.insert(id.clone(), Board::new(view, round, Beat::new(self.event_every, now)));
            return;
        };
        // Who may see what hangs on the round: that does not wait.
        if *board.show.borrow().round != *round {
            return board.show(view, round, now);
        }
        if !board.is_news(&view) || board.is_due {
            return;
        }
        match board.beat.wait(now) {
            None => board.show(view, round, now),
            Some(moment) => {
                board.is_due = true;
                let id = id.clone();
                context.run_later(moment, move |this, context| this.renew_due(&id, context));
            }
        }
    }

    fn renew_due(&mut self, id: &RoundId, context: &mut Context<Self>) {
        if let Some(board) = self.boards.get_mut(id) {
            board.is_due = false;
        }
        self.renew(id, context);
    }

    fn view(&self, id: &RoundId) -> Option<(View, Arc<Round>)> {
        let sources = self.sources.as_ref()?;
        let round = sources.rounds.get(id)?;
        let tally = sources.tallies.get(id);
        let board = self.boards.get(id);
        let counting = board.map_or(Counting::Current, |board| board.counting);
        let view = View::of(&round.message.round, tally.as_ref().map(|newest| &newest.message), counting);
        let end = if view.is_final { view.sequence } else { board.map_or(0, |board| board.end) };
        let head = view.head.max(end);
        Some((View { head, ..view }, Arc::new(round.message.round.clone())))
    }

    /// Asks for the end of each watched round's log. Works however the tally and Postgres are.
    fn compare(&mut self, context: &mut Context<Self>) {
        let now = self.clock.monotonic();
        for (id, board) in &self.boards {
            // A draft has no log, and behind a seal nothing comes.
            let may_grow = |view: &View| view.state != RoundState::Draft && !view.is_final;
            if !board.is_watched(now) || !may_grow(&board.show.borrow().view) {
                continue;
            }
            let (bus, id) = (self.bus.clone(), id.clone());
            let end = async move {
                let end = match bus.is_connected() {
                    true => bus.last_sequence(&Stream::votes(&id).name).await.ok(),
                    // Questions asked now would pile up and all be sent when NATS is back.
                    false => None,
                };
                (end, id)
            };
            context
                .spawn(end.into_actor(self).map(|(end, id), this, context| this.note_end(&id, end, context)));
        }
    }

    fn note_end(&mut self, id: &RoundId, end: Option<u64>, context: &mut Context<Self>) {
        let now = self.clock.monotonic();
        let Some(board) = self.boards.get_mut(id) else { return };
        let counted = board.show.borrow().view.sequence;
        board.end = end.unwrap_or(board.end);
        if end == Some(counted) {
            board.behind_since = None;
        } else {
            board.behind_since.get_or_insert(now);
        }
        let stands_still = board.behind_since.is_some_and(|since| now.since(since) > WAITING_AFTER);
        board.counting = if stands_still { Counting::Waiting } else { Counting::Current };
        self.renew(id, context);
    }
}

impl Board {
    fn new(view: View, round: Arc<Round>, beat: Beat) -> Self {
        let (show, _) = watch::channel(view.shown(round));
        let (stage, _) = watch::channel(());
        Self {
            show,
            stage,
            beat,
            is_due: false,
            looked_at: None,
            counting: Counting::Current,
            end: 0,
            behind_since: None,
        }
    }

    /// Whether watchers should see it. While a tally recounts from the start, they keep what they have seen until it
    /// has caught up.
    fn is_news(&self, view: &View) -> bool {
        let shown = &self.show.borrow().view;
        **shown != *view && !view.is_behind(shown)
    }

    fn show(&mut self, view: View, round: Arc<Round>, now: Monotonic) {
        let before = self.show.borrow().clone();
        // The counts that were seen stay.
        let view = if view.is_behind(&before.view) { kept(&before.view, &round) } else { view };
        if view.sequence != before.view.sequence {
            // It moves, so it does not wait.
            self.behind_since = None;
            self.counting = Counting::Current;
        }
        let counting = self.counting;
        let is_told_anew = view.sequence == before.view.sequence;
        let shown = View { counting, ..view }.shown(round);
        let is_other_stage = shown.stage != before.stage;
        self.beat.told(now);
        self.show.send_replace(Shown { is_told_anew, ..shown });
        if is_other_stage {
            self.stage.send_replace(());
        }
        counter!("urna_result_updates_total").increment(1);
    }

    fn is_watched(&self, now: Monotonic) -> bool {
        let was_looked_at = self.looked_at.is_some_and(|moment| now.since(moment) < WATCHED_FOR);
        self.show.receiver_count() > 0 || was_looked_at
    }
}

/// The counts of before, of the round as it is now.
fn kept(before: &View, round: &Round) -> View {
    let now = View::of(round, None, before.counting);
    let View { sequence, generation, head, total, results, lines, is_final, counting, ledger, .. } =
        before.clone();
    View { sequence, generation, head, total, results, lines, is_final, counting, ledger, ..now }
}

impl Actor for Results {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        context.run_interval(COMPARE_EVERY, Self::compare);
    }
}

impl Handler<Begin> for Results {
    type Result = ();

    fn handle(&mut self, Begin(sources): Begin, context: &mut Context<Self>) {
        let rounds = sources.rounds.all();
        self.sources = Some(sources);
        for newest in rounds {
            self.renew(&newest.message.round.id, context);
        }
    }
}

impl Handler<Renewed<RoundId>> for Results {
    type Result = ();

    fn handle(&mut self, Renewed { key, trace }: Renewed<RoundId>, context: &mut Context<Self>) {
        debug!(trace.id = trace.map(TraceContext::trace_id), round.id = %key, "heard");
        self.renew(&key, context);
    }
}

impl Handler<Watch> for Results {
    type Result = MessageResult<Watch>;

    fn handle(&mut self, Watch(id): Watch, _: &mut Context<Self>) -> Self::Result {
        let now = self.clock.monotonic();
        MessageResult(self.boards.get_mut(&id).map(|board| {
            board.looked_at = Some(now);
            Watched { shown: board.show.subscribe(), stage: board.stage.subscribe() }
        }))
    }
}
