//! What the operating system knows of the process, under the names that Prometheus clients use for it everywhere.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};

/// This process.
#[derive(Debug)]
pub(super) struct Process {
    started: SystemTime,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            started: SystemTime::now(),
        }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut gauge = |name, help, value: f64| {
            encoder
                .encode_descriptor(name, help, None, MetricType::Gauge)?
                .encode_gauge(&value)
        };
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        gauge(
            "process_start_time_seconds",
            "When the process began to count, in seconds since 1970",
            started.as_secs_f64(),
        )?;
        if let Some(bytes) = resident_memory_bytes() {
            gauge(
                "process_resident_memory_bytes",
                "Memory that the process occupies",
                bytes,
            )?;
        }
        if let Some(count) = open_files() {
            gauge("process_open_fds", "Open files and sockets", count)?;
        }
        Ok(())
    }
}

/// Linux only; see `proc_pid_status(5)`.
fn resident_memory_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = resident.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// Linux only; see `proc_pid_fd(5)`.
fn open_files() -> Option<f64> {
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count();
    u32::try_from(count).ok().map(f64::from)
}
