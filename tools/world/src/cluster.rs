//! A world on a cluster of three nats-servers, each with a folder and ports of its own.

use async_nats::jetstream::stream::{Config, StorageType};
use urna_servers::{ClusterTexts, Server, Tls};

use crate::Own;
use crate::world::{Connections, World, eventually};

/// How many nats-servers there are: with two of them a stream goes on.
pub const NODES: usize = 3;
/// A stream that is made to see whether streams can be made.
const PROBE: &str = "PROBE";

impl World {
    /// Servers that answer, with a cluster in the place of the one nats-server, and no process yet. Its nodes require TLS
    /// of clients, and of each other certificates.
    pub async fn cluster() -> Self {
        let world = Self::on(&[Own::Nats], Connections::OverTls, |plan| {
            let routes = plan.tls.map(Tls::of_routes).unwrap_or_default();
            let texts = ClusterTexts { routes, behind: plan.configuration.clone() };
            let mut nodes = Server::nats_cluster(plan.programs, plan.folder, NODES, &texts)?;
            Ok((nodes.remove(0), nodes))
        })
        .await;
        world.takes_streams().await;
        world
    }

    /// A node of the cluster.
    pub fn node(&mut self, number: usize) -> &mut Server {
        if number == 0 { self.nats() } else { &mut self.peers[number - 1] }
    }

    /// Settings for a process that is to begin at this node. It hears of the others there. (Given several addresses,
    /// a client takes them in an order of its own.)
    pub fn at_node(&mut self, number: usize) -> [(&'static str, String); 1] {
        let port = self.node(number).port;
        [("NATS_URL", self.node_url(port))]
    }

    /// The node that leads the log of the demonstration round. One that is killed or paused does not.
    pub async fn leader(&self) -> usize {
        eventually("the log has a leader", || async {
            let jetstream = self.jetstream().await.ok()?;
            let stream = jetstream.get_stream("VOTES-demo").await.ok()?;
            let leader = stream.cached_info().cluster.as_ref()?.leader.as_ref()?;
            let number: usize = leader.strip_prefix("node-")?.parse().ok()?;
            self.nodes().nth(number).is_some_and(Server::is_up).then_some(number)
        })
        .await
    }

    /// Waits until every copy of the log is there and current.
    pub async fn copies_are_current(&self) {
        eventually("every copy of the log is current", || async {
            let jetstream = self.jetstream().await.ok()?;
            let stream = jetstream.get_stream("VOTES-demo").await.ok()?;
            let cluster = stream.cached_info().cluster.as_ref()?;
            let current = cluster.replicas.iter().filter(|copy| copy.current && !copy.offline).count();
            (current == NODES - 1).then_some(())
        })
        .await;
    }

    /// Waits until a stream with a copy on every node can be made.
    async fn takes_streams(&self) {
        let config = Config {
            name: PROBE.to_owned(),
            num_replicas: NODES,
            storage: StorageType::Memory,
            ..Default::default()
        };
        eventually("the cluster takes streams", || async {
            let jetstream = self.jetstream().await.ok()?;
            jetstream.get_or_create_stream(&config).await.ok()?;
            jetstream.delete_stream(PROBE).await.ok()
        })
        .await;
    }
}
