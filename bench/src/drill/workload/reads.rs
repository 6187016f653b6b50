//! Reads: of what was just written, of the list, and of pages by cursor.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::Value;

use super::{Known, RoundOfClient, text_at};
use crate::drill::api::{Answer, Call, Outcome};

/// Users on a page.
const PER_PAGE: usize = 20;

impl RoundOfClient {
    /// Reads the user that was just acknowledged: it must be found.
    pub(super) async fn read_own(&self, known: &Known) {
        let path = format!("/api/v1/users/{}", known.id);
        if let Some(answer) = self.get("get of what was created", &path).await
            && text_at(&answer.body, "/email") != known.email
        {
            self.wrong("a user is answered under the id of another".to_owned());
        }
    }

    /// The first page with the number of all.
    pub(super) async fn list(&self) {
        let path = format!("/api/v1/users?page=1&per_page={PER_PAGE}");
        if let Some(answer) = self.get("list", &path).await {
            self.check_page(&answer.body);
        }
    }

    /// Two pages by cursor.
    pub(super) async fn walk(&self) {
        let first = format!("/api/v1/users?cursor=&per_page={PER_PAGE}");
        let Some(answer) = self.get("first page", &first).await else {
            return;
        };
        let newest = self.check_page(&answer.body);
        let cursor = text_at(&answer.body, "/next_cursor");
        if cursor.is_empty() {
            return;
        }
        let second = format!("/api/v1/users?cursor={cursor}&per_page={PER_PAGE}");
        if let Some(answer) = self.get("next page", &second).await {
            let older = self.check_page(&answer.body);
            // Whatever was created or deleted in between, a walk repeats nobody and does not turn back.
            if newest.last() <= older.first() {
                self.wrong("the second page of a walk does not begin behind the first".to_owned());
            }
        }
    }

    async fn get(&self, what: &'static str, path: &str) -> Option<Answer> {
        let call = Call {
            what,
            method: Method::GET,
            path,
            headers: &[],
            body: None,
            statuses: &[200],
        };
        let outcome = self.shared.api.call(call).await;
        self.pause_after(&outcome).await;
        match outcome {
            Outcome::Done(answer) => Some(answer),
            Outcome::NotDone(_) | Outcome::Unclear => None,
        }
    }

    /// A page holds no user twice, and the newest first. The places of its users in the list.
    fn check_page(&self, page: &Value) -> Vec<(String, i64)> {
        let users = page.get("users").and_then(Value::as_array);
        let users = users.map(Vec::as_slice).unwrap_or_default();
        let ids: HashSet<_> = users.iter().filter_map(|user| user.get("id")?.as_i64()).collect();
        if ids.len() != users.len() || users.is_empty() || users.len() > PER_PAGE {
            self.wrong(format!("a page of {} users has {} ids", users.len(), ids.len()));
        }
        let position = |user: &Value| {
            (
                text_at(user, "/created_at").to_owned(),
                user.get("id").and_then(Value::as_i64).unwrap_or_default(),
            )
        };
        let positions: Vec<_> = users.iter().map(position).collect();
        if !positions.is_sorted_by(|newer, older| newer > older) {
            self.wrong("a page is not sorted".to_owned());
        }
        positions
    }
}
