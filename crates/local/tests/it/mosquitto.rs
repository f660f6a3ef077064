use std::process::{Command, Output};
use std::thread;

use local::mosquitto::{Broker, Login, PasswordHash};

struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("youtility-broker-{name}-{}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn publish(port: u16, username: &str, password: &str, topic: &str) -> Output {
    Command::new("mosquitto_pub")
        .args(["-V", "5", "-h", "127.0.0.1", "-p", &port.to_string(), "-u", username, "-P", password])
        .args(["-q", "1", "-t", topic, "-m", "hello"])
        .output()
        .unwrap()
}

/// Waits for one message, 5 s at most.
fn receive(port: u16, username: &str, topic: &str, limit_seconds: &str) -> Output {
    Command::new("mosquitto_sub")
        .args(["-V", "5", "-h", "127.0.0.1", "-p", &port.to_string(), "-u", username, "-P", "of the bridge"])
        .args(["-q", "1", "-C", "1", "-W", limit_seconds, "-i", "reader", "-c", "-x", "60", "-t", topic])
        .output()
        .unwrap()
}

fn logins() -> Vec<Login> {
    vec![
        Login::device("ACME", "PUMP-1", PasswordHash::of("of the pump").unwrap()),
        Login::bridge(PasswordHash::of("of the bridge").unwrap()),
        Login::health(PasswordHash::of("of health").unwrap()),
    ]
}

#[tokio::test]
async fn the_broker_accepts_our_hashes_and_refuses_wrong_passwords() {
    let folder = Folder::new("hashes");
    let port = local::port::free(0).unwrap();
    let broker = Broker::new(&folder.0, port).unwrap();
    broker.write_logins(&logins()).unwrap();
    let running = broker.start().await.unwrap();

    let right = publish(port, "ACME.PUMP-1", "of the pump", "yt/v1/ACME/PUMP-1/telemetry");
    assert!(right.status.success() && right.stderr.is_empty(), "{right:?}");
    let wrong = publish(port, "ACME.PUMP-1", "of the pumps", "yt/v1/ACME/PUMP-1/telemetry");
    assert!(!wrong.status.success(), "{wrong:?}");
    let nobody = publish(port, "", "", "yt/v1/ACME/PUMP-1/telemetry");
    assert!(!nobody.status.success(), "{nobody:?}");

    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_login_reaches_its_own_topics_only() {
    let folder = Folder::new("topics");
    let port = local::port::free(0).unwrap();
    let broker = Broker::new(&folder.0, port).unwrap();
    broker.write_logins(&logins()).unwrap();
    let running = broker.start().await.unwrap();

    for topic in ["yt/v1/ACME/PUMP-2/telemetry", "yt/v1/OTHER/PUMP-1/telemetry", "yt/v1/ACME/PUMP-1/ack"] {
        let foreign = publish(port, "ACME.PUMP-1", "of the pump", topic);
        assert!(String::from_utf8_lossy(&foreign.stderr).contains("Not authorized"), "{topic}: {foreign:?}");
    }
    let idle = publish(port, "health", "of health", "yt/v1/ACME/PUMP-1/telemetry");
    assert!(String::from_utf8_lossy(&idle.stderr).contains("Not authorized"), "{idle:?}");

    running.stop().await.unwrap();
}

#[tokio::test]
async fn queued_messages_outlive_a_restart_of_the_broker() {
    let folder = Folder::new("restart");
    let port = local::port::free(0).unwrap();
    let broker = Broker::new(&folder.0, port).unwrap();
    broker.write_logins(&logins()).unwrap();
    let running = broker.start().await.unwrap();
    let filter = "$share/readers/yt/v1/+/+/telemetry";

    let reader = thread::spawn(move || receive(port, "bridge", filter, "1"));
    assert!(reader.join().unwrap().stdout.is_empty());
    assert!(publish(port, "ACME.PUMP-1", "of the pump", "yt/v1/ACME/PUMP-1/telemetry").status.success());
    running.stop().await.unwrap();
    let running = broker.start().await.unwrap();

    assert_eq!(receive(port, "bridge", filter, "5").stdout, b"hello\n");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_login_taken_away_is_refused_after_a_reload() {
    let folder = Folder::new("reload");
    let port = local::port::free(0).unwrap();
    let broker = Broker::new(&folder.0, port).unwrap();
    broker.write_logins(&logins()).unwrap();
    let running = broker.start().await.unwrap();
    assert!(publish(port, "ACME.PUMP-1", "of the pump", "yt/v1/ACME/PUMP-1/telemetry").status.success());

    running.set_logins(&logins()[1..]).unwrap();
    let refused = (0..100).any(|_| {
        !publish(port, "ACME.PUMP-1", "of the pump", "yt/v1/ACME/PUMP-1/telemetry").status.success()
    });
    assert!(refused, "the broker still lets the device in");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_broker_that_was_left_over_is_ended() {
    let folder = Folder::new("left-over");
    let port = local::port::free(0).unwrap();
    let broker = Broker::new(&folder.0, port).unwrap();
    broker.end_left_over().unwrap();
    broker.write_logins(&logins()).unwrap();
    let mut running = broker.start().await.unwrap();

    let mut ended = tokio::task::JoinSet::new();
    ended.spawn(async move { running.wait().await.unwrap() });
    tokio::task::spawn_blocking(move || broker.end_left_over().unwrap()).await.unwrap();
    assert!(ended.join_next().await.unwrap().unwrap().success());
    assert!(local::port::is_free(port));
}

#[tokio::test]
async fn a_broker_does_not_hear_what_a_terminal_says_to_who_started_it() {
    let folder = Folder::new("group");
    let broker = Broker::new(&folder.0, local::port::free(0).unwrap()).unwrap();
    broker.write_logins(&logins()).unwrap();
    let running = broker.start().await.unwrap();
    let pid = std::fs::read_to_string(broker.log().with_file_name("mosquitto.pid")).unwrap();
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap());
    assert_ne!(rustix::process::getpgid(pid).unwrap(), rustix::process::getpgrp());
    running.stop().await.unwrap();
}
