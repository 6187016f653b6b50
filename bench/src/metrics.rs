//! What the product says of itself at `/metrics`.

use std::net::SocketAddr;

use anyhow::Result;

use crate::load::Connection;

/// The metrics of a moment.
#[derive(Debug)]
pub(crate) struct Metrics(String);

impl Metrics {
    /// Those of the product at `address`.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn of(address: SocketAddr) -> Result<Self> {
        let answer = Connection::open(address).await?.get("/metrics").await?;
        let answer = answer.successful("GET /metrics")?;
        Ok(Self(String::from_utf8_lossy(&answer.body).into_owned()))
    }

    /// The value with this name and these labels; 0 if it is not there.
    pub(crate) fn value(&self, name: &str) -> f64 {
        let line = self
            .0
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_whole_name() {
        let metrics = Metrics("a_sum{kind=\"read\"} 7.5\na_sum{kind=\"reading\"} 9\nb_summary 3\n".to_owned());
        assert_eq!(metrics.value("a_sum{kind=\"read\"}").to_string(), "7.5");
        assert_eq!(metrics.value("b_sum").to_string(), "0");
    }
}
