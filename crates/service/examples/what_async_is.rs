//! What async is and what it is not: waits overlap on one thread, computations do not, and whoever blocks the thread stops
//! everybody on it.
//!
//! Run it: `cargo run --example what_async_is`

use std::{
    error::Error,
    thread,
    time::{Duration, Instant},
};

use async_starter_service::DatabaseRuntime;
use tokio::{
    join,
    runtime::{Builder, Runtime},
    task::spawn_blocking,
    time::sleep,
};

type Failure = Box<dyn Error + Send + Sync>;

// ANCHOR: main
fn main() -> Result<(), Failure> {
    // One thread for everything, as each worker of actix-web has it: this one.
    let worker = Builder::new_current_thread().enable_all().build()?;
    let database_threads = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("database")
        .enable_all()
        .build()?;
    worker.block_on(lesson(&database_threads))
}
// ANCHOR_END: main

// ANCHOR: lesson
async fn lesson(database_threads: &Runtime) -> Result<(), Failure> {
    println!("A future does nothing until it is polled");
    lazy().await?;

    println!("Three waits on one thread");
    let begin = Instant::now();
    wait("A").await;
    wait("B").await;
    wait("C").await;
    println!("  one after the other: {}", shown(begin.elapsed()));
    let begin = Instant::now();
    join!(wait("A"), wait("B"), wait("C"));
    println!("  all at once: {}", shown(begin.elapsed()));

    println!("Two computations on one thread");
    let begin = Instant::now();
    compute("A").await;
    println!("  one alone: {}", shown(begin.elapsed()));
    let begin = Instant::now();
    join!(compute("A"), compute("B"));
    println!("  two at once: {}", shown(begin.elapsed()));

    println!("Somebody who wants to go on after 5 ms goes on after");
    let (late, ()) = join!(pause(), sleep(PATIENCE));
    println!("  {} while a neighbour awaits", shown(late));
    let (late, ()) = join!(pause(), async { block() });
    println!("  {} while a neighbour blocks the thread", shown(late));
    let (late, finished) = join!(pause(), spawn_blocking(block));
    finished?;
    println!("  {} while a neighbour blocks a thread for that", shown(late));

    println!("Where things run");
    on_other_threads(database_threads).await
}
// ANCHOR_END: lesson

// ANCHOR: lazy
async fn lazy() -> Result<(), Failure> {
    let never = async { println!("  this line is never printed") };
    drop(never);
    let greeting = async { println!("  - the future runs, because it is awaited") };
    println!("  - a future was made");
    greeting.await;
    let task = tokio::spawn(async { println!("  - the task runs, because its thread is free") });
    println!("  - a task was spawned, and this thread is still busy here");
    Ok(task.await?)
}
// ANCHOR_END: lazy

// ANCHOR: wait
/// How long everything here takes that takes long.
const PATIENCE: Duration = Duration::from_millis(100);

/// Waits as for a database: the thread is free meanwhile.
async fn wait(name: &str) {
    println!("  {name} waits");
    sleep(PATIENCE).await;
}

/// Computes: an `async fn` without an `await` in it is done in one go.
#[expect(clippy::unused_async, reason = "that it awaits nothing is the lesson")]
async fn compute(name: &str) {
    println!("  {name} begins to compute");
    let is_prime = |number: u32| {
        let mut factors = (2..number).take_while(|factor| factor * factor <= number);
        !factors.any(|factor| number.is_multiple_of(factor))
    };
    let primes = (2..20_000).filter(|&number| is_prime(number)).count();
    println!("  {name} is done: {primes} primes");
}
// ANCHOR_END: wait

// ANCHOR: block
/// Wants to go on after 5 ms, and tells after how long it did.
async fn pause() -> Duration {
    let begin = Instant::now();
    sleep(Duration::from_millis(5)).await;
    begin.elapsed()
}

/// Waits without giving the thread back, as a driver without async does.
#[expect(clippy::disallowed_methods, reason = "what it does to others is the lesson")]
fn block() {
    thread::sleep(PATIENCE);
}
// ANCHOR_END: block

// ANCHOR: threads
async fn on_other_threads(database_threads: &Runtime) -> Result<(), Failure> {
    let database = DatabaseRuntime::new(database_threads.handle().clone());
    let name = database.run(async { Ok::<_, Failure>(current_thread()) }).await?;
    println!(
        "  the request on thread `{}`, its database work on thread `{name}`",
        current_thread()
    );
    let work = database.run(async { Ok::<_, Failure>(pause().await) });
    let (late, ()) = join!(work, async { block() });
    println!(
        "  5 ms of database work took {} while the request's thread was blocked",
        shown(late?)
    );
    Ok(())
}
// ANCHOR_END: threads

fn current_thread() -> String {
    thread::current().name().unwrap_or("without a name").to_owned()
}

fn shown(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
