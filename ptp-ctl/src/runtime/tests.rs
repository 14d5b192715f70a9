use super::control::{Control, MAX_READERS, Question, ask, refuse_if_running};
use super::timer::{Monotonic, Periodic, Timer};
use crate::engine::Instant;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn the_timer_is_early_never_and_late_rarely() {
    runtime().block_on(async {
        let monotonic = Monotonic::new();
        let mut timer = Timer::new().unwrap();
        for micros in [300, 50, 700] {
            let due = monotonic.now().instant + Duration::from_micros(micros);
            timer.set(due).unwrap();
            timer.expired().await.unwrap();
            assert!(monotonic.now().instant >= due);
        }
        // What has passed already fires at once, zero included.
        timer.set(Instant::from_nanos(0)).unwrap();
        timer.expired().await.unwrap();
    });
}

#[test]
fn a_timer_set_again_forgets_the_earlier_time() {
    runtime().block_on(async {
        let monotonic = Monotonic::new();
        let mut timer = Timer::new().unwrap();
        let now = monotonic.now().instant;
        timer.set(now + Duration::from_millis(1)).unwrap();
        timer.set(now + Duration::from_secs(3600)).unwrap();
        let expired = tokio::time::timeout(Duration::from_millis(20), timer.expired()).await;
        assert!(expired.is_err());
    });
}

#[test]
fn both_forms_of_time_agree() {
    let monotonic = Monotonic::new();
    let now = monotonic.now();
    assert_eq!(monotonic.instant(now.std), now.instant);
    assert_eq!(monotonic.instant(now.std + Duration::from_nanos(7)), now.instant + Duration::from_nanos(7));
}

#[test]
fn periods_are_not_caught_up_with() {
    let second = Duration::from_secs(1);
    let start = Instant::from_nanos(5_000_000_000);
    let mut periodic = Periodic::new(start, second);
    assert!(periodic.take(start));
    assert!(!periodic.take(start));
    assert_eq!(periodic.next(), start + second);
    // Late by less than a period: the beat is kept.
    assert!(periodic.take(start + second + second / 4));
    assert_eq!(periodic.next(), start + 2 * second);
    // Late by several: one is enough.
    assert!(periodic.take(start + 7 * second));
    assert!(!periodic.take(start + 7 * second));
    assert_eq!(periodic.next(), start + 8 * second);
}

#[test]
fn stats_are_answered_and_closed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run").join("1-2.sock");
    runtime().block_on(async {
        let mut control = Control::listen(path.clone()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let reader = std::thread::spawn({
            let path = path.clone();
            move || ask(&path, &Question::Stats).unwrap()
        });
        let asked = control.question().await;
        assert_eq!(asked.question, Question::Stats);
        asked.answer(b"{}".to_vec());
        // The answer is written beside the loop, which must turn for it.
        while !reader.is_finished() {
            tokio::task::yield_now().await;
        }
        assert_eq!(reader.join().unwrap().unwrap(), b"{}");
    });
    assert!(!path.exists(), "removed when the controller ends");
    assert_eq!(ask(&path, &Question::Stats).unwrap(), None);
}

#[test]
fn a_reader_who_does_not_read_blocks_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("1-2.sock");
    runtime().block_on(async {
        let mut control = Control::listen(path.clone()).unwrap();
        // However slow this machine is, those who came first keep their places.
        control.patience = Duration::from_secs(3600);
        // More than a socket's buffer holds.
        let document = vec![b' '; 4 << 20];
        let connect = || {
            let mut reader = UnixStream::connect(&path).unwrap();
            reader.write_all(b"\"stats\"\n").unwrap();
            reader
        };
        let mut readers = Vec::new();
        for _ in 0..MAX_READERS {
            readers.push(connect());
            control.question().await.answer(document.clone());
        }
        let mut one_too_many = connect();
        let reader = std::thread::spawn(move || {
            let mut answer = Vec::new();
            let cut_off = one_too_many.read_to_end(&mut answer);
            cut_off.is_err() && answer.is_empty()
        });
        while !reader.is_finished() {
            let turn = tokio::time::timeout(Duration::from_millis(1), control.question()).await;
            assert!(turn.is_err(), "one who is turned away asks nothing");
        }
        assert!(reader.join().unwrap());
    });
}

#[test]
fn only_a_dead_controllers_socket_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("1-2.sock");
    refuse_if_running(&path, "eth0").unwrap();
    let living = UnixListener::bind(&path).unwrap();
    let message = refuse_if_running(&path, "eth0").unwrap_err().to_string();
    assert!(message.contains("already running on eth0"), "{message}");
    drop(living);
    assert!(path.exists());
    refuse_if_running(&path, "eth0").unwrap();
    runtime().block_on(async {
        let _control = Control::listen(path.clone()).unwrap();
        assert!(refuse_if_running(&path, "eth0").is_err());
    });
}
