use std::path::{Path, PathBuf};

use super::*;
use crate::config::{FileSink, Format};
use crate::event::{MAX_RECENT, samples};

const SECOND: Duration = Duration::from_secs(1);

fn sink(path: PathBuf) -> Sink {
    Sink::File(FileSink {
        path,
        format: Format::Native,
    })
}

fn start(sinks: &[Sink]) -> (Recorder, RecorderThread) {
    Recorder::start(sinks, Arc::new(Metrics::new().unwrap())).unwrap()
}

fn exchange() -> Event {
    Event::Exchange(samples::exchange().into())
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// A recorder whose thread never takes anything.
fn stuck() -> (Recorder, std::sync::mpsc::Receiver<Message>) {
    let (queue, events) = sync_channel(1);
    let metrics = Arc::new(Metrics::new().unwrap());
    (
        Recorder {
            queue,
            store: Arc::default(),
            metrics,
            waiting: Arc::default(),
            patience: Duration::from_millis(100),
        },
        events,
    )
}

#[test]
fn a_record_is_written_soon_without_being_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    let (recorder, thread) = start(&[sink(path.clone())]);
    recorder.send(exchange());
    let sent = std::time::Instant::now();
    while lines(&path) < 1 {
        assert!(sent.elapsed() < 5 * SECOND, "the record is not in the file");
        std::thread::sleep(LINGER);
    }
    thread.stop();
}

#[test]
fn many_senders_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    let (recorder, thread) = start(&[sink(path.clone())]);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .build()
        .unwrap();
    let total = 40_000;
    runtime.block_on(async {
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let recorder = recorder.clone();
                tokio::spawn(async move {
                    for _ in 0..total / 4 {
                        recorder.ready().await;
                        recorder.send(exchange());
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.await.unwrap();
        }
        recorder.ready().await;
    });
    assert!(recorder.flush(10 * SECOND));
    assert_eq!(lines(&path), total);
    assert_eq!(recorder.store().exchanges(usize::MAX).len(), MAX_RECENT);
    assert_eq!(recorder.store().workloads()[0].counts.exchanges, total as u64);
    assert_eq!(recorder.metrics.events_dropped.get(), 0);
    let text = String::from_utf8(recorder.metrics.render().unwrap()).unwrap();
    assert!(text.contains(&format!(r#"verdict="cut"}} {total}"#)));
    thread.stop();
}

#[tokio::test]
async fn a_full_queue_delays_before_it_drops() {
    let (recorder, events) = stuck();
    recorder.ready().await;
    recorder.send(exchange());
    recorder.send(exchange());
    assert_eq!(
        (
            recorder.metrics.events_delayed.get(),
            recorder.metrics.events_dropped.get()
        ),
        (1, 0)
    );
    assert_eq!(recorder.waiting.load(Ordering::Relaxed), 1);

    // Room: the waiting event gets it, and new work may begin.
    assert!(events.try_recv().is_ok());
    recorder.ready().await;
    assert_eq!(recorder.waiting.load(Ordering::Relaxed), 0);
    assert!(matches!(events.try_recv(), Ok(Message::Event(_))));

    // None: what waits in vain is counted.
    recorder.send(exchange());
    recorder.send(exchange());
    tokio::time::sleep(recorder.patience * 3).await;
    assert_eq!(
        (
            recorder.waiting.load(Ordering::Relaxed),
            recorder.metrics.events_dropped.get()
        ),
        (0, 1)
    );
}

#[tokio::test]
async fn waiting_events_are_bounded() {
    let (recorder, _events) = stuck();
    for _ in 0..1 + MAX_WAITING + 3 {
        recorder.send(exchange());
    }
    assert_eq!(recorder.metrics.events_dropped.get(), 3);
    assert_eq!(recorder.waiting.load(Ordering::Relaxed), MAX_WAITING);
}

#[test]
fn without_a_runtime_a_full_queue_drops() {
    let (recorder, _events) = stuck();
    recorder.send(exchange());
    recorder.send(exchange());
    assert_eq!(recorder.metrics.events_dropped.get(), 1);
}

#[test]
fn sinks_can_be_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (recorder, thread) = start(&[sink(path("a")), sink(path("b"))]);
    recorder.send(exchange());
    recorder.replace_sinks(&[sink(path("b")), sink(path("c"))]);
    recorder.send(exchange());
    assert!(recorder.flush(5 * SECOND));
    assert_eq!(
        [lines(&path("a")), lines(&path("b")), lines(&path("c"))],
        [1, 2, 1]
    );
    thread.stop();
    recorder.send(exchange());
    assert_eq!(
        recorder.metrics.events_dropped.get(),
        1,
        "after the end nothing is taken silently"
    );
}

#[test]
fn a_failing_sink_harms_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("good");
    let (recorder, thread) = start(&[sink("/dev/full".into()), sink(path.clone())]);
    for _ in 0..100 {
        recorder.send(exchange());
    }
    thread.stop();
    assert_eq!(lines(&path), 100);
    assert_eq!(
        recorder
            .metrics
            .sink_dropped
            .with_label_values(&["/dev/full"])
            .get(),
        100
    );
    assert!(
        recorder
            .metrics
            .sink_errors
            .with_label_values(&["/dev/full"])
            .get()
            > 0
    );
}
