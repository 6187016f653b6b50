//! Commands and their exit codes.

use std::net::TcpListener;

use crate::support::{Server, run, run_in};

#[tokio::test]
async fn help_lists_every_command() {
    let help = run(&["--help"], &[]).await.success();
    for command in [
        "serve",
        "migrate",
        "seed",
        "import",
        "export",
        "openapi",
        "config",
        "token",
        "healthcheck",
    ] {
        assert!(help.contains(&format!("\n  {command}")), "{help}");
    }
    let help = run(&["migrate", "--help"], &[]).await.success();
    for command in ["up", "down", "status", "fresh", "script"] {
        assert!(help.contains(&format!("\n  {command}")), "{help}");
    }
    let version = run(&["--version"], &[]).await.success();
    assert_eq!(version, format!("async-starter {}\n", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn a_command_line_that_makes_no_sense_ends_with_code_2() {
    let lines: [&[&str]; 6] = [
        &["fly"],
        &["migrate"],
        &["migrate", "sideways"],
        &["migrate", "up", "-1"],
        &["seed", "--count", "many"],
        &["--colour"],
    ];
    for line in lines {
        let refused = run(line, &[]).await;
        assert_eq!(refused.code, Some(2), "{line:?}: {refused:?}");
        assert!(refused.stderr.contains("--help"), "{line:?}: {}", refused.stderr);
    }
}

#[tokio::test]
async fn a_health_check_tells_by_its_exit_code_whether_the_server_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("ENVIRONMENT", "staging")];
    let server = Server::start_in(folder.path(), &settings).await;
    let port = server.address().rsplit_once(':').unwrap().1.to_owned();
    let check = async |host| run(&["healthcheck"], &[("PORT", port.as_str()), ("HOST", host)]).await;
    let pending = check("127.0.0.1").await;
    assert_eq!(pending.code, Some(1), "{pending:?}");
    assert!(pending.stdout.contains("503"), "{pending:?}");
    run_in(folder.path(), &["migrate", "up"], &settings).await.success();
    crate::support::eventually("ready", async || server.get("/health/ready").await.status == 200).await;
    assert!(check("127.0.0.1").await.success().contains("200"));
    // A server on all interfaces is asked through one that connections can be made to.
    assert!(check("0.0.0.0").await.success().contains("200"));
    server.stop().await;
    let gone = check("127.0.0.1").await;
    assert_eq!(gone.code, Some(1), "{gone:?}");
    assert!(gone.stderr.contains("nobody listens"), "{gone:?}");
}

#[tokio::test]
async fn a_health_check_does_not_wait_for_ever() {
    // It accepts connections, by way of the system, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let start = std::time::Instant::now();
    let outcome = run(&["healthcheck"], &[("PORT", &port)]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[tokio::test]
async fn standard_output_carries_nothing_but_the_answer() {
    let settings = [("LOG_LEVEL", "debug"), ("DEBUG", "1")];
    let folder = tempfile::tempdir().unwrap();
    let printed = run_in(folder.path(), &["migrate", "up"], &settings).await.success();
    assert!(printed.lines().all(|line| line.starts_with("applied m")), "{printed}");
    let status = run_in(folder.path(), &["migrate", "status", "--json"], &settings).await;
    serde_json::from_str::<serde_json::Value>(&status.success()).unwrap();
    let config = run_in(folder.path(), &["config", "--json"], &settings).await;
    assert!(
        config.stderr.contains("DEBUG"),
        "no warning of a setting without effect: {config:?}"
    );
    serde_json::from_str::<serde_json::Value>(&config.success()).unwrap();
    let seeded = run_in(folder.path(), &["seed", "--count", "3"], &settings)
        .await
        .success();
    assert_eq!(seeded, "created 3 users; 0 existed already\n");
}
