//! Which instance of the product a request goes to.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::api;

/// How often the instances are asked whether they are ready.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);

/// What a load balancer knows.
#[derive(Debug, Default)]
pub(super) struct Balancer {
    instances: RefCell<Vec<Instance>>,
    turn: Cell<usize>,
}

#[derive(Debug)]
struct Instance {
    address: SocketAddr,
    is_ready: bool,
}

impl Balancer {
    /// Sends requests to an instance that has become ready, too.
    pub(super) fn add(&self, address: SocketAddr) {
        let mut instances = self.instances.borrow_mut();
        instances.retain(|instance| instance.address != address);
        instances.push(Instance {
            address,
            is_ready: true,
        });
    }

    /// Forgets an instance.
    pub(super) fn remove(&self, address: SocketAddr) {
        self.instances
            .borrow_mut()
            .retain(|instance| instance.address != address);
    }

    /// The next in turn of those that are ready; nothing if none is.
    pub(super) fn next(&self) -> Option<SocketAddr> {
        let instances = self.instances.borrow();
        let ready: Vec<_> = instances.iter().filter(|instance| instance.is_ready).collect();
        let index = self.turn.get().checked_rem(ready.len())?;
        self.turn.set(self.turn.get().wrapping_add(1));
        ready.get(index).map(|instance| instance.address)
    }

    /// Asks all instances whether they are ready, again and again.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub(super) async fn watch(&self) -> Result<()> {
        let client = api::http_client(Duration::from_secs(2))?;
        loop {
            let addresses: Vec<_> = self
                .instances
                .borrow()
                .iter()
                .map(|instance| instance.address)
                .collect();
            for address in addresses {
                let answer = client.get(format!("http://{address}/health/ready")).send().await;
                let is_ready = answer.is_ok_and(|answer| answer.status().is_success());
                let mut instances = self.instances.borrow_mut();
                for instance in instances.iter_mut().filter(|instance| instance.address == address) {
                    instance.is_ready = is_ready;
                }
            }
            sleep(PROBE_INTERVAL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_instances_take_turns() {
        let balancer = Balancer::default();
        assert_eq!(balancer.next(), None);
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        for port in [1, 2, 3] {
            balancer.add(address(port));
        }
        balancer.remove(address(2));
        let turns: Vec<_> = (0..4)
            .filter_map(|_| balancer.next())
            .map(|address| address.port())
            .collect();
        assert_eq!(turns, [1, 3, 1, 3]);
        for instance in balancer.instances.borrow_mut().iter_mut() {
            instance.is_ready = instance.address.port() == 3;
        }
        assert_eq!(balancer.next(), Some(address(3)));
    }
}
