//! Imports and exports, which take longer than a request.

use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use super::{Crowd, IMPORTED, KEEPER, PATIENCE, TRANSFER_INTERVAL, USERS};
use crate::load::{Connection, upload};

impl Crowd {
    /// Imports and exports again and again, for the last time before `end`.
    pub(super) async fn transfer_now_and_then(self: Rc<Self>, end: Instant) {
        loop {
            if Instant::now() + TRANSFER_INTERVAL >= end {
                return;
            }
            tokio::time::sleep(TRANSFER_INTERVAL).await;
            if let Err(error) = self.import(IMPORTED).await {
                self.surprise(&format!("import: {error:#}"));
            }
            if let Err(error) = self.export().await {
                self.surprise(&format!("export: {error:#}"));
            }
        }
    }

    /// Imports this many users, all of which must be taken.
    pub(super) async fn import(&self, count: u64) -> Result<()> {
        let mut left = count;
        let fill = |piece: &mut String| {
            while left > 0 && piece.len() < 8 * 1024 {
                left -= 1;
                piece.push_str(&self.new_user());
                piece.push('\n');
            }
        };
        let path = format!("{USERS}/import");
        let answer = upload(self.address, &path, "application/x-ndjson", PATIENCE, fill).await?;
        self.check("import", &answer, &[200]);
        let created = answer.successful("the import")?.json()?.get("created").cloned();
        if created.as_ref().and_then(serde_json::Value::as_u64) != Some(count) {
            bail!("{count} users sent, created: {created:?}");
        }
        Ok(())
    }

    /// Learns from an export which users there are: imports do not tell ids, and those who hang up learn none.
    pub(super) async fn export(&self) -> Result<()> {
        let mut connection = Connection::open(self.address).await?;
        let answer = connection.get(&format!("{USERS}/export")).await?;
        self.check("export", &answer, &[200]);
        let text = String::from_utf8(answer.body).context("an export is not UTF-8")?;
        let mut ids = Vec::new();
        for line in text.lines() {
            let user: serde_json::Value = serde_json::from_str(line).context("a line of an export is no JSON")?;
            let email = user
                .get("email")
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default();
            if email.starts_with("soak-") && email != KEEPER {
                ids.extend(user.get("id").and_then(serde_json::Value::as_u64));
            }
        }
        ids.sort_unstable();
        *self.ids.borrow_mut() = ids.into();
        Ok(())
    }
}
