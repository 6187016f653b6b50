//! Buckets in this process.

use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, UnitWeighter,
    sync::{Cache, DefaultLifecycle, EntryAction, EntryResult},
};

use super::{
    client::ClientKey,
    quota::{Bucket, Decision, Quota},
};

/// The most clients that are remembered. With what the cache needs besides, some 10 MB.
const MAX_CLIENTS: usize = 100_000;

/// Parts of the cache that are locked one by one. A divisor of [`MAX_CLIENTS`], since each part rounds its share up.
const SHARDS: usize = 32;

/// The buckets of the clients that came of late. Clients that went away are not looked for: they make room when others need
/// it, those first that came but once.
#[derive(Debug)]
pub(super) struct MemoryStore(Cache<ClientKey, Bucket>);

impl MemoryStore {
    pub(super) fn new() -> Self {
        Self::with_capacity(MAX_CLIENTS)
    }

    fn with_capacity(clients: usize) -> Self {
        let mut options = OptionsBuilder::new();
        options
            .shards(SHARDS)
            .estimated_items_capacity(clients)
            .weight_capacity(clients as u64);
        let cache = match options.build() {
            Ok(options) => Cache::with_options(
                options,
                UnitWeighter,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            // Only a missing capacity is refused.
            Err(_) => Cache::new(clients),
        };
        Self(cache)
    }

    /// Takes a token of this client at this time, in microseconds since any fixed moment. It waits for nothing but another
    /// request of a client of the same shard, for less than a microsecond.
    pub(super) fn take(&self, quota: Quota, key: ClientKey, now_micros: u64) -> Decision {
        let entry = self.0.entry(&key, None, |_, bucket| {
            let (next, decision) = quota.take(*bucket, now_micros);
            *bucket = next;
            EntryAction::Retain(decision)
        });
        match entry {
            EntryResult::Retained(decision) => decision,
            EntryResult::Vacant(place) => {
                let (bucket, decision) = quota.take(Bucket::default(), now_micros);
                // It fails if the place was taken away meanwhile: the client is then new once more.
                place.insert(bucket).ok();
                decision
            }
            // None of these can come of an action that retains, without a time limit.
            EntryResult::Removed(..) | EntryResult::Replaced(..) | EntryResult::Timeout => {
                quota.take(Bucket::default(), now_micros).1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        sync::atomic::{AtomicUsize, Ordering},
        thread,
        time::Duration,
    };

    use super::*;

    fn client(number: u32) -> ClientKey {
        ClientKey::of_address(Some(IpAddr::V4(Ipv4Addr::from_bits(number))))
    }

    fn quota(requests: u32) -> Quota {
        Quota::new(requests, Duration::from_mins(1)).unwrap()
    }

    #[test]
    fn each_client_has_a_bucket_of_its_own() {
        let (store, quota) = (MemoryStore::new(), quota(2));
        let take = |number| store.take(quota, client(number), 7).is_allowed;
        assert_eq!([take(1), take(1), take(1)], [true, true, false]);
        assert_eq!([take(2), take(2), take(2)], [true, true, false]);
    }

    #[test]
    fn at_most_a_hundred_thousand_clients_are_remembered() {
        assert_eq!(MemoryStore::new().0.capacity(), 100_000);
    }

    #[test]
    fn every_newcomer_of_a_flood_is_let_in_and_no_more_are_remembered_than_may_be() {
        const MAX: usize = 20_000;
        let (store, quota) = (MemoryStore::with_capacity(MAX), quota(1));
        for number in 0..200_000 {
            assert!(store.take(quota, client(number), u64::from(number)).is_allowed);
            assert!(store.0.len() <= MAX, "after {number}");
        }
        // What is remembered is used to the full.
        assert!(store.0.len() > MAX / 2, "{}", store.0.len());
    }

    #[test]
    fn a_flood_of_others_does_not_rid_a_busy_client_of_its_limit() {
        let (store, quota) = (MemoryStore::with_capacity(1000), quota(1));
        let busy = client(0);
        store.take(quota, busy, 0);
        for number in 1..100_000 {
            store.take(quota, client(number), 0);
            if number % 10 == 0 {
                assert!(!store.take(quota, busy, 0).is_allowed, "after {number}");
            }
        }
    }

    #[test]
    fn of_requests_at_once_no_more_than_the_quota_are_let_in() {
        let (store, quota, allowed) = (MemoryStore::new(), quota(100), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let is_allowed = store.take(quota, client(1), 0).is_allowed;
                        allowed.fetch_add(usize::from(is_allowed), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(allowed.into_inner(), 100);
    }
}
