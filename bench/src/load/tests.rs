//! The generator against small servers that behave badly on purpose.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server that answers each request with what `answer` returns for its number over all connections, after the pause
/// that goes with it.
async fn server(answer: impl Fn(u64) -> (Duration, &'static str) + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let number = Rc::new(Cell::new(0));
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::task::spawn_local(serve(stream, Rc::clone(&number), answer.clone()));
        }
    });
    address
}

async fn serve(mut stream: TcpStream, number: Rc<Cell<u64>>, answer: impl Fn(u64) -> (Duration, &'static str)) {
    let mut buffer = [0; 4096];
    while matches!(stream.read(&mut buffer).await, Ok(1..)) {
        number.set(number.get() + 1);
        let (pause, text) = answer(number.get());
        if !pause.is_zero() {
            sleep(pause).await;
        }
        if stream.write_all(text.as_bytes()).await.is_err() {
            break;
        }
    }
}

async fn drive_against(
    answer: impl Fn(u64) -> (Duration, &'static str) + Clone + 'static,
    connections: u32,
    duration: Duration,
    pace: Pace,
) -> Result<Sample> {
    let local = LocalSet::new();
    local
        .run_until(async {
            let address = server(answer).await;
            let requests = Requests::get(["/users/1".to_owned()]);
            let load = Load {
                connections,
                duration,
                pace,
            };
            drive(address, &requests, load).await
        })
        .await
}

/// Answers at once, but stalls for a second at the tenth request.
fn stalls_once(number: u64) -> (Duration, &'static str) {
    (Duration::from_secs(u64::from(number == 10)), OK)
}

#[tokio::test]
async fn a_stall_shows_in_the_percentiles_of_an_open_loop() {
    let pace = Pace::Open { per_second: 200.0 };
    let sample = drive_against(stalls_once, 1, Duration::from_secs(2), pace)
        .await
        .unwrap();
    assert_eq!(sample.requests, 400, "an open loop sends all that is due");
    // Half of the requests fell due while the server stalled, and waited for half a second on average.
    let (p75, p99) = (sample.latency_micros(0.75), sample.latency_micros(0.99));
    assert!((350e3..800e3).contains(&p75), "p75 {p75} µs");
    assert!((900e3..1_500e3).contains(&p99), "p99 {p99} µs");
}

#[tokio::test]
async fn a_closed_loop_leaves_the_same_stall_out() {
    let sample = drive_against(stalls_once, 1, Duration::from_millis(1500), Pace::Closed)
        .await
        .unwrap();
    assert!(sample.requests > 200, "{} requests", sample.requests);
    let p99 = sample.latency_micros(0.99);
    assert!(p99 < 300e3, "p99 {p99} µs");
}

#[tokio::test]
async fn a_closed_loop_counts_each_answer_once() {
    let pause = |_| (Duration::from_millis(20), OK);
    let sample = drive_against(pause, 4, Duration::from_millis(500), Pace::Closed)
        .await
        .unwrap();
    // Four connections, each with an answer every 20 ms or a little later.
    assert!((40..=104).contains(&sample.requests), "{} requests", sample.requests);
    let p50 = sample.latency_micros(0.5);
    assert!((19e3..60e3).contains(&p50), "p50 {p50} µs");
    assert!((80.0..=210.0).contains(&sample.per_second()), "{}", sample.per_second());
}

#[tokio::test]
async fn an_answer_that_is_no_success_voids_the_load() {
    let refuses = |number| {
        let text = if number == 20 {
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
        } else {
            OK
        };
        (Duration::ZERO, text)
    };
    for pace in [Pace::Closed, Pace::Open { per_second: 1000.0 }] {
        let error = drive_against(refuses, 2, Duration::from_millis(500), pace)
            .await
            .unwrap_err();
        assert!(format!("{error:#}").contains("503"), "{error:#}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_voids_the_load() {
    let breaks = |number| (Duration::ZERO, if number == 20 { "HTTP/1.1 200 OK\r\n" } else { OK });
    let local = LocalSet::new();
    let outcome = local.run_until(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::task::spawn_local(async move {
            let (stream, _) = listener.accept().await.unwrap();
            // Drops the connection when the answer that never ends has been sent.
            let _ = timeout(Duration::from_millis(300), serve(stream, Rc::default(), breaks)).await;
        });
        let load = Load {
            connections: 1,
            duration: Duration::from_secs(5),
            pace: Pace::Closed,
        };
        drive(address, &Requests::get(["/".to_owned()]), load).await
    });
    let error = outcome.await.unwrap_err();
    assert!(format!("{error:#}").contains("closed the connection"), "{error:#}");
}

#[tokio::test]
async fn a_counted_load_sends_so_many_and_no_more() {
    let pace = Pace::Counted { requests: 10 };
    let sample = drive_against(|_| (Duration::ZERO, OK), 3, Duration::from_mins(1), pace).await;
    assert_eq!(sample.unwrap().requests, 10);
}

#[tokio::test]
async fn an_upload_is_answered_even_if_the_server_does_not_want_it_all() {
    let local = LocalSet::new();
    let answer = local.run_until(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 16]).await.unwrap();
            stream
                .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                .await
                .unwrap();
            // Takes no more of the body, and does not close either.
            sleep(Duration::from_mins(1)).await;
        });
        let endless = |piece: &mut String| piece.push_str(&"line\n".repeat(100));
        upload(
            address,
            "/import",
            "application/x-ndjson",
            Duration::from_secs(5),
            endless,
        )
        .await
    });
    assert_eq!(answer.await.unwrap().status, 404);
}

#[tokio::test]
async fn an_upload_sends_its_whole_body_in_chunks() {
    let local = LocalSet::new();
    let received = local.run_until(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
            while !received.ends_with(b"\r\n0\r\n\r\n") {
                let read = stream.read(&mut buffer).await.unwrap();
                assert!(read > 0, "closed before the end of the body");
                received.extend_from_slice(&buffer[..read]);
            }
            stream.write_all(OK.as_bytes()).await.unwrap();
            String::from_utf8(received).unwrap()
        });
        let mut pieces = 0;
        let fill = |piece: &mut String| {
            pieces += 1;
            if pieces <= 3 {
                import_line(piece, pieces);
            }
        };
        let answer = upload(address, "/import", "application/x-ndjson", Duration::from_secs(5), fill)
            .await
            .unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"ok".as_slice()));
        server.await.unwrap()
    });
    let received = received.await;
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Transfer-Encoding: chunked"), "{head}");
    let line = |number: u64| {
        let mut line = String::new();
        import_line(&mut line, number);
        format!("{:x}\r\n{line}\r\n", line.len())
    };
    assert_eq!(body, format!("{}{}{}0\r\n\r\n", line(1), line(2), line(3)));
}
