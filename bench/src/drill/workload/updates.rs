//! Changes of names with `If-Match`: read, change what was read, and read again if somebody else was first.

use reqwest::Method;
use serde_json::json;

use super::{Known, RoundOfClient, text_at};
use crate::drill::api::{Call, Outcome};

impl RoundOfClient {
    /// Changes the user that it created last.
    pub(super) async fn update_own(&mut self) {
        if let Some(own) = self.own.clone() {
            self.update(&own).await;
        }
    }

    /// Changes one of those that all change.
    pub(super) async fn update_shared(&mut self) {
        let user = {
            let users = self.shared.users.borrow();
            let turn = usize::try_from(self.turn.wrapping_add(self.number)).unwrap_or_default();
            let index = turn.checked_rem(users.len()).unwrap_or_default();
            users.get(index).cloned()
        };
        if let Some(user) = user {
            self.update(&user).await;
        }
    }

    /// Reads the user and counts on. Whoever comes too late is told so by 412.
    async fn update(&mut self, user: &Known) {
        let path = format!("/api/v1/users/{}", user.id);
        let read = self.shared.api.call(Call {
            what: "get before a patch",
            method: Method::GET,
            path: &path,
            headers: &[],
            body: None,
            statuses: &[200],
        });
        let read = read.await;
        self.pause_after(&read).await;
        let Outcome::Done(read) = read else { return };
        let Some(etag) = read.header("etag") else {
            self.wrong("a user is answered without ETag".to_owned());
            return;
        };
        let from = text_at(&read.body, "/name");
        // The count is for people who look into the database; the rest makes the name unique.
        let count: u64 = from
            .split(' ')
            .next()
            .and_then(|count| count.parse().ok())
            .unwrap_or_default();
        let to = format!("{} {} 更新", count + 1, self.next_text());
        let entry = self.shared.ledger.change(&user.email, from, &to);
        let outcome = self
            .shared
            .api
            .call(Call {
                what: "patch",
                method: Method::PATCH,
                path: &path,
                headers: &[("If-Match", etag)],
                body: Some(&json!({"name": to})),
                statuses: &[200, 412],
            })
            .await;
        self.pause_after(&outcome).await;
        match outcome {
            Outcome::Done(answer) => {
                if text_at(&answer.body, "/name") != to {
                    self.wrong("a patch is answered with another name than it asked for".to_owned());
                }
                self.shared.ledger.changed(&entry, true);
            }
            Outcome::NotDone(_) => self.shared.ledger.changed(&entry, false),
            Outcome::Unclear => {}
        }
    }
}
