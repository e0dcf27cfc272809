//! What the kernel says of processes.

use std::process::Command;
use std::time::Duration;

use monitor::kernel::{KernelEvent, KernelEvents};
use monitor_common::Reason;

use crate::rig::rig;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

async fn until(events: &mut KernelEvents, wanted: impl Fn(&KernelEvent) -> bool) -> KernelEvent {
    let search = async {
        loop {
            let event = events.next().await.unwrap();
            if wanted(&event) {
                return event;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), search)
        .await
        .expect("the event within ten seconds")
}

#[test]
fn a_process_is_forked_executes_and_ends() {
    let Some(rig) = rig("process events") else { return };
    runtime().block_on(async {
        let mut events = rig.kernel.events().unwrap();
        assert!(rig.kernel.events().is_err());
        let mut child = Command::new("/bin/sleep").arg("0.3").spawn().unwrap();
        let child_tgid = child.id();
        let fork = until(
            &mut events,
            |event| matches!(event, KernelEvent::Fork { tgid, .. } if *tgid == child_tgid),
        )
        .await;
        let KernelEvent::Fork {
            parent_tgid,
            boottime_ns: forked_ns,
            ..
        } = fork
        else {
            panic!("a fork")
        };
        assert_eq!(parent_tgid, std::process::id());
        let exec = until(
            &mut events,
            |event| matches!(event, KernelEvent::Exec { tgid, .. } if *tgid == child_tgid),
        )
        .await;
        let KernelEvent::Exec {
            boottime_ns: executed_ns,
            cgroup_id,
            filename,
            ..
        } = exec
        else {
            panic!("an exec")
        };
        assert_eq!(filename.to_str(), Some("/bin/sleep"));
        assert_eq!(
            cgroup_id,
            std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&rig.cgroup).unwrap())
        );
        let row = rig.kernel.process(child_tgid).unwrap().unwrap();
        assert_eq!(
            (row.start_boottime_ns, row.exec_boottime_ns),
            (forked_ns, executed_ns)
        );
        assert_eq!(
            (row.parent_tgid, row.filename()),
            (std::process::id(), b"/bin/sleep".as_slice())
        );
        child.wait().unwrap();
        until(
            &mut events,
            |event| matches!(event, KernelEvent::Exit { tgid, .. } if *tgid == child_tgid),
        )
        .await;
        assert_eq!(rig.kernel.process(child_tgid).unwrap(), None);
    });
}

#[test]
fn threads_are_not_processes() {
    let Some(rig) = rig("threads") else { return };
    runtime().block_on(async {
        let mut events = rig.kernel.events().unwrap();
        for _ in 0..20 {
            std::thread::spawn(|| {}).join().unwrap();
        }
        let mut child = Command::new("/bin/true").spawn().unwrap();
        child.wait().unwrap();
        let own = std::process::id();
        let event = until(&mut events, |event| match event {
            KernelEvent::Fork { parent_tgid, .. } => *parent_tgid == own,
            KernelEvent::Exit { tgid, .. } => *tgid == own,
            _ => false,
        })
        .await;
        assert!(matches!(event, KernelEvent::Fork { tgid, .. } if tgid == child.id()));
    });
}

#[test]
fn lost_events_are_counted_and_the_stream_goes_on() {
    let Some(rig) = rig("lost events") else { return };
    runtime().block_on(async {
        let mut events = rig.kernel.events().unwrap();
        // The ring holds about 1,200 of these; nobody reads meanwhile.
        let script = "for ((i = 0; i < 2000; i++)); do /bin/true; done";
        assert!(
            Command::new("bash")
                .args(["-c", script])
                .status()
                .unwrap()
                .success()
        );
        assert!(rig.count(Reason::RingFull) > 0);
        let mut received = 0;
        while let Some(event) = events.take() {
            event.unwrap();
            received += 1;
        }
        assert!(received > 1_000, "{received} events");
        let lost = rig.count(Reason::RingFull);
        assert!(received + lost >= 6_000, "{received} received, {lost} lost");
        let mut child = Command::new("/bin/true").spawn().unwrap();
        let child_tgid = child.id();
        until(
            &mut events,
            |event| matches!(event, KernelEvent::Exec { tgid, .. } if *tgid == child_tgid),
        )
        .await;
        child.wait().unwrap();
    });
}
