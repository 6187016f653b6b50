//! Single operations: what is asked, and which answers may come.

use anyhow::Result;

use super::{BATCH, Crowd, KEEPER, KEPT_KEYS, Operation, POPULATION, USERS, WALK_PAGES};
use crate::load::{Answer, Connection};
use crate::soak::impolite;

impl Crowd {
    pub(super) async fn perform(&self, operation: Operation, kept: &mut Option<Connection>) -> Result<()> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::open(self.address).await?,
        };
        let connection = match operation {
            Operation::HangUp => {
                impolite::hang_up(self.address, self.random(), &self.new_user()).await?;
                self.note("hang up", 0);
                connection
            }
            Operation::NewConnection => {
                let path = format!("{USERS}/{}", self.any_id());
                let mut other = Connection::open(self.address).await?;
                self.expect(&mut other, "get", &self.get(&path), &[200, 404]).await?;
                connection
            }
            Operation::Bad => {
                let (request, expected) = impolite::bad_request(self.random(), self.keeper.get(), KEEPER);
                // On a connection of its own: the product may close it rather than read a body that it refused.
                let mut other = Connection::open(self.address).await?;
                self.expect(&mut other, "bad", request.as_bytes(), &[expected]).await?;
                connection
            }
            _ => {
                self.ask_politely(operation, &mut connection).await?;
                connection
            }
        };
        *kept = Some(connection);
        Ok(())
    }

    async fn ask_politely(&self, operation: Operation, connection: &mut Connection) -> Result<()> {
        match operation {
            Operation::Get => {
                let path = format!("{USERS}/{}", self.any_id());
                self.expect(connection, "get", &self.get(&path), &[200, 404]).await?;
            }
            Operation::List => {
                let path = format!("{USERS}?page={}&per_page=20", 1 + self.random() % 100);
                self.expect(connection, "list", &self.get(&path), &[200]).await?;
            }
            Operation::Find => {
                let path = format!("{USERS}?email={KEEPER}");
                self.expect(connection, "find", &self.get(&path), &[200]).await?;
            }
            Operation::Walk => self.walk(connection).await?,
            Operation::Patch => {
                let (id, body) = (
                    self.any_id(),
                    format!(r#"{{"name":"Soaked {}"}}"#, self.random() % 1000),
                );
                let request = self.with_body("PATCH", &format!("{USERS}/{id}"), "", &body);
                self.expect(connection, "patch", &request, &[200, 404]).await?;
            }
            Operation::Batch => {
                let users: Vec<_> = (0..BATCH).map(|_| self.new_user()).collect();
                let body = format!(r#"{{"users":[{}]}}"#, users.join(","));
                let key = format!("Idempotency-Key: soak-{}\r\n", self.next_user.get());
                let request = self.post(&format!("{USERS}/batch"), &key, &body);
                let answer = self.expect(connection, "batch", &request, &[201]).await?;
                let created = answer.json()?;
                let users = created.get("users").and_then(serde_json::Value::as_array);
                let ids = users.into_iter().flatten().filter_map(|user| user.get("id")?.as_u64());
                self.ids.borrow_mut().extend(ids);
            }
            _ => self.create_or_delete(connection).await?,
        }
        Ok(())
    }

    pub(super) async fn create_or_delete(&self, connection: &mut Connection) -> Result<()> {
        let surplus = self.ids.borrow().len() > POPULATION;
        let oldest = self.ids.borrow_mut().pop_front();
        if let Some(id) = oldest.filter(|_| surplus) {
            let request = format!(
                "DELETE {USERS}/{id} HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
                self.client()
            );
            self.expect(connection, "delete", request.as_bytes(), &[204, 404])
                .await?;
            return Ok(());
        }
        self.ids.borrow_mut().extend(oldest);
        let with_key = self.random().is_multiple_of(3);
        if with_key && self.random().is_multiple_of(4) {
            let known = self.keys.borrow_mut().pop_front();
            if let Some((key, body)) = known {
                // Forgotten meanwhile, it creates, or finds the address taken.
                let request = self.post(USERS, &key, &body);
                self.expect(connection, "repeat", &request, &[201, 409]).await?;
                return Ok(());
            }
        }
        let body = self.new_user();
        let key = if with_key {
            format!("Idempotency-Key: soak-{}\r\n", self.next_user.get())
        } else {
            String::new()
        };
        let request = self.post(USERS, &key, &body);
        let answer = self.expect(connection, "create", &request, &[201]).await?;
        let id = answer.json()?.get("id").and_then(serde_json::Value::as_u64);
        self.ids.borrow_mut().extend(id);
        if with_key {
            let mut keys = self.keys.borrow_mut();
            keys.push_back((key, body));
            if keys.len() > KEPT_KEYS {
                keys.pop_front();
            }
        }
        Ok(())
    }

    /// Asks, and notes it if the status of the answer is none of those that may come.
    async fn expect(
        &self,
        connection: &mut Connection,
        asked: &'static str,
        request: &[u8],
        expected: &[u16],
    ) -> Result<Answer> {
        let answer = connection.ask(request).await?;
        self.check(asked, &answer, expected);
        Ok(answer)
    }

    async fn walk(&self, connection: &mut Connection) -> Result<()> {
        let mut cursor = String::new();
        for _ in 0..WALK_PAGES {
            let path = format!("{USERS}?cursor={cursor}&per_page=50");
            let answer = self.expect(connection, "walk", &self.get(&path), &[200]).await?;
            let page = answer.json()?;
            let Some(next) = page.get("next_cursor").and_then(serde_json::Value::as_str) else {
                break;
            };
            next.clone_into(&mut cursor);
        }
        Ok(())
    }
}
