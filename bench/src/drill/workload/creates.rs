//! Creates, single and in batches, without and with a key.

use reqwest::Method;
use serde_json::Value;

use super::{BATCH_SIZE, Known, RoundOfClient, body_of, text_at};
use crate::drill::api::{Answer, Call, Outcome};
use crate::drill::ledger::{Asked, CreateId};

/// Every so many-th acknowledged create with a key is asked once more.
const REPLAY_EVERY: u64 = 3;

impl RoundOfClient {
    /// Creates a user, and reads it at once, which must find it.
    pub(super) async fn create_and_read(&mut self, key: Option<String>) {
        if let Some(known) = self.create_single(key).await {
            self.read_own(&known).await;
            self.own = Some(known);
        }
    }

    /// Creates a user; what it was told, if that is clear.
    pub(super) async fn create_single(&mut self, key: Option<String>) -> Option<Known> {
        let user = self.next_user();
        let ids = self.create(vec![user.clone()], false, key).await?;
        Some(Known {
            id: *ids.first()?,
            email: user.email,
        })
    }

    /// Creates a batch.
    pub(super) async fn create_batch(&mut self, key: Option<String>) {
        let users = (0..BATCH_SIZE).map(|_| self.next_user()).collect();
        self.create(users, true, key).await;
    }

    /// Creates users; their ids, if that is clear.
    async fn create(&mut self, users: Vec<Asked>, is_batch: bool, key: Option<String>) -> Option<Vec<i64>> {
        let entry = self.shared.ledger.create(users.clone(), key.is_some());
        let (mut is_first, mut was_unclear) = (true, false);
        let ids = loop {
            let outcome = self.send(&users, is_batch, key.as_deref()).await;
            self.pause_after(&outcome).await;
            match outcome {
                Outcome::Done(answer) => {
                    if was_unclear {
                        self.shared.ledger.cleared(entry, is_replay(&answer));
                    }
                    break self.acknowledge(entry, &users, is_batch, &answer);
                }
                // Asked again even if for certain nothing was done, which is what clients with a key do.
                Outcome::NotDone(answer) if key.is_some() && self.may_ask_again() => {
                    self.check_refusal(answer.as_ref());
                }
                Outcome::NotDone(_) => {
                    // An earlier try under the same key may have been the one that did it.
                    if is_first {
                        self.shared.ledger.not_created(entry);
                    }
                    return None;
                }
                Outcome::Unclear if key.is_some() && self.may_ask_again() => was_unclear = true,
                Outcome::Unclear => return None,
            }
            is_first = false;
        };
        if key.is_some() && self.turn.is_multiple_of(REPLAY_EVERY) {
            self.replay(entry, &users, is_batch, key.as_deref()).await;
        }
        Some(ids)
    }

    async fn send(&self, users: &[Asked], is_batch: bool, key: Option<&str>) -> Outcome {
        let headers: Vec<_> = key.map(|key| ("Idempotency-Key", key)).into_iter().collect();
        let (what, path) = match (is_batch, key) {
            (false, None) => ("create", "/api/v1/users"),
            (false, Some(_)) => ("create with a key", "/api/v1/users"),
            (true, None) => ("batch", "/api/v1/users/batch"),
            (true, Some(_)) => ("batch with a key", "/api/v1/users/batch"),
        };
        let call = Call {
            what,
            method: Method::POST,
            path,
            headers: &headers,
            body: Some(&body_of(users, is_batch)),
            // Under a key the first of two may still be at work.
            statuses: if key.is_some() { &[201, 409] } else { &[201] },
        };
        self.shared.api.call(call).await
    }

    /// Enters what was acknowledged; the ids.
    fn acknowledge(&self, entry: CreateId, users: &[Asked], is_batch: bool, answer: &Answer) -> Vec<i64> {
        let told: Vec<&Value> = if is_batch {
            let told = answer.body.get("users").and_then(Value::as_array);
            told.map(|users| users.iter().collect()).unwrap_or_default()
        } else {
            vec![&answer.body]
        };
        for (asked, told) in users.iter().zip(&told) {
            if (text_at(told, "/email"), text_at(told, "/name")) != (&asked.email, &asked.name) {
                self.wrong("a create is answered with another user than was asked for".to_owned());
            }
        }
        let ids: Vec<i64> = told.iter().filter_map(|user| user.get("id")?.as_i64()).collect();
        if let Some(wrong) = self.shared.ledger.created(entry, ids.clone()) {
            self.wrong(wrong);
        }
        ids
    }

    /// Under a key of its own only one refusal is right: that the same request is still being worked on. A database that
    /// keeps even the first one waiting for long looks the same.
    fn check_refusal(&self, answer: Option<&Answer>) {
        if let Some(answer) = answer.filter(|answer| answer.status < 500 && !is_in_progress(answer)) {
            self.wrong(format!(
                "a create with a key of its own is refused: {} {}",
                answer.status,
                answer.code()
            ));
        }
    }

    /// Asks once more for what was acknowledged.
    async fn replay(&self, entry: CreateId, users: &[Asked], is_batch: bool, key: Option<&str>) {
        let outcome = self.send(users, is_batch, key).await;
        self.pause_after(&outcome).await;
        match outcome {
            Outcome::Done(answer) => {
                if !is_replay(&answer) {
                    self.wrong("a create that was acknowledged is done again and not replayed".to_owned());
                }
                self.acknowledge(entry, users, is_batch, &answer);
            }
            Outcome::NotDone(answer) => self.check_refusal(answer.as_ref()),
            Outcome::Unclear => {}
        }
    }
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

fn is_in_progress(answer: &Answer) -> bool {
    answer.status == 409 && answer.code() == "idempotency_in_progress"
}
