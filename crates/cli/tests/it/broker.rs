//! A real Mosquitto with the files the command writes.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::ClientId;
use local::account::Account;
use local::mosquitto::{Broker, PasswordHash, Running};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, StateError};
use testkit::process::Binary;
use testkit::{Database, PATIENCE};
use tokio::time::timeout;

use crate::home::Folder;
use crate::youtility;

const PUMP: &str = "the pump's long and random password";
const FAN: &str = "the fan's long and random password";
const BRIDGE: &str = "the bridge's long and random password";
const HEALTH: &str = "the health service's long password";

/// Long enough for a broker to hand a message on, short enough to wait for one that must not come.
const QUIET: Duration = Duration::from_millis(500);

/// Two clients with a device each, a broker's folder, and the command that fills it.
struct World {
    db: Database,
    acme: ClientId,
    command: Binary,
    home: Folder,
    broker: PathBuf,
}

impl World {
    async fn new() -> Self {
        let (db, home) = (Database::create().await, Folder::new());
        let (acme, globex) = (db.client("ACME").await, db.client("GLOBEX").await);
        for (client, code, password) in [(acme, "PUMP-1", PUMP), (globex, "FAN-1", FAN)] {
            let site = db.site(client, "HQ").await;
            let hash = PasswordHash::of(password).unwrap().to_string();
            db.device(client, site, code).broker_password_hash(&hash).await;
        }
        let broker = home.path().join("broker");
        Account::unprivileged("mosquitto").unwrap().create_folder(&broker).unwrap();
        fs::write(home.path().join("bridge"), format!("{BRIDGE}\n")).unwrap();
        fs::write(home.path().join("health"), HEALTH).unwrap();
        let home_env = ("YOUTILITY_HOME".to_owned(), home.path().to_str().unwrap().to_owned());
        let command = youtility().env(db.env("owner")).env([home_env]);
        Self { db, acme, command, home, broker }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.broker.join(name)
    }

    async fn write(&self, more: &[&str]) -> String {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (bridge, health) = (self.home.path().join("bridge"), self.home.path().join("health"));
        let [passwords, access, bridge, health] =
            [self.file("passwords"), self.file("access"), bridge, health].map(|path| text(&path));
        let fixed = ["broker", "files", "--passwords", &passwords, "--access", &access];
        let ours = ["--bridge-password-file", &bridge, "--health-password-file", &health];
        self.command.run(&[&fixed[..], &ours, more].concat()).await.succeeded()
    }

    async fn start(&self) -> Running {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Broker::new(&self.broker, port).unwrap().start().await.unwrap()
    }
}

/// One connection to the broker, and the topics of the messages that came.
struct Connection {
    client: AsyncClient,
    events: EventLoop,
    heard: Vec<String>,
}

impl Connection {
    async fn open(broker: &Running, user: &str, password: &str) -> Result<Self, ConnectReturnCode> {
        Self::named(broker, user, (user, password)).await
    }

    async fn named(
        broker: &Running,
        name: &str,
        (user, password): (&str, &str),
    ) -> Result<Self, ConnectReturnCode> {
        let mut options = MqttOptions::new(name, broker.address().ip().to_string(), broker.address().port());
        options.set_credentials(user, password);
        let (client, events) = AsyncClient::new(options, 8);
        let mut connection = Self { client, events, heard: Vec::new() };
        loop {
            match connection.next().await {
                Ok(Some(Packet::ConnAck(_))) => return Ok(connection),
                Ok(_) => {}
                Err(ConnectionError::ConnectionRefused(code)) => return Err(code),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The next packet that came, if the next event is one.
    async fn next(&mut self) -> Result<Option<Packet>, ConnectionError> {
        match timeout(PATIENCE, self.events.poll()).await.unwrap()? {
            Event::Incoming(Packet::Publish(message)) => {
                self.heard.push(String::from_utf8(message.topic.to_vec()).unwrap());
                Ok(None)
            }
            Event::Incoming(packet) => Ok(Some(packet)),
            Event::Outgoing(_) => Ok(None),
        }
    }

    async fn subscribes(&mut self, filter: &str) -> bool {
        self.client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        loop {
            if let Some(Packet::SubAck(ack)) = self.next().await.unwrap() {
                return ack.return_codes.iter().all(|code| matches!(code, SubscribeReasonCode::Success(_)));
            }
        }
    }

    /// Whether the broker takes a message. It may close the connection of one that publishes what it may not.
    async fn publishes(&mut self, topic: &str) -> bool {
        self.client.publish(topic, QoS::AtLeastOnce, false, topic.to_owned()).await.unwrap();
        loop {
            match self.next().await {
                Ok(Some(Packet::PubAck(ack))) => return ack.reason != PubAckReason::NotAuthorized,
                Ok(_) => {}
                Err(ConnectionError::MqttState(StateError::ConnectionAborted)) => return false,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The topics of all messages that came, and come within a moment.
    async fn heard(&mut self) -> &[String] {
        while timeout(QUIET, self.next()).await.is_ok_and(|next| next.is_ok()) {}
        &self.heard
    }
}

#[tokio::test]
async fn each_account_signs_in_with_its_own_password_and_reaches_its_own_topics() {
    let world = World::new().await;
    let said = world.write(&[]).await;
    assert!(said.contains("2 devices and 2 accounts of our own written"), "{said}");
    let broker = world.start().await;

    for (user, password) in
        [("ACME.PUMP-1", FAN), ("ACME.PUMP-1", ""), ("GLOBEX.PUMP-1", PUMP), ("nobody", PUMP)]
    {
        let refused = Connection::open(&broker, user, password).await.err();
        assert!(refused.is_some(), "{user} was let in with {password:?}");
    }
    let mut pump = Connection::open(&broker, "ACME.PUMP-1", PUMP).await.unwrap();
    let mut fan = Connection::open(&broker, "GLOBEX.FAN-1", FAN).await.unwrap();
    let mut bridge = Connection::open(&broker, "bridge", BRIDGE).await.unwrap();
    Connection::open(&broker, "health", HEALTH).await.unwrap();

    assert!(
        pump.subscribes("yt/v1/ACME/PUMP-1/cmd/#").await && pump.subscribes("yt/v1/ACME/PUMP-1/ack").await
    );
    assert!(fan.subscribes("yt/v1/GLOBEX/FAN-1/ack").await);
    for filter in ["#", "yt/v1/ACME/#", "yt/v1/+/+/ack", "yt/v1/ACME/PUMP-1/cmd/#"] {
        // Mosquitto may grant a subscription it then gives nothing to.
        fan.subscribes(filter).await;
    }
    assert!(bridge.subscribes("yt/v1/+/+/telemetry").await);

    assert!(pump.publishes("yt/v1/ACME/PUMP-1/telemetry").await);
    for foreign in [
        "yt/v1/GLOBEX/FAN-1/telemetry",
        "yt/v1/GLOBEX/FAN-1/ack",
        "yt/v1/ACME/PUMP-1/ack",
        "yt/v1/ACME/PUMP-1/cmd/run",
        "yt/v1/ACME/.feed/x",
    ] {
        let mut thief = Connection::named(&broker, "a thief", ("ACME.PUMP-1", PUMP)).await.unwrap();
        assert!(!thief.publishes(foreign).await, "{foreign}");
    }
    for topic in
        ["yt/v1/ACME/PUMP-1/ack", "yt/v1/ACME/PUMP-1/cmd/run", "yt/v1/GLOBEX/FAN-1/ack", "yt/v1/ACME/.feed/x"]
    {
        assert!(bridge.publishes(topic).await, "{topic}");
    }
    assert_eq!(bridge.heard().await, ["yt/v1/ACME/PUMP-1/telemetry"]);
    assert_eq!(pump.heard().await, ["yt/v1/ACME/PUMP-1/ack", "yt/v1/ACME/PUMP-1/cmd/run"]);
    let heard = fan.heard().await;
    assert!(!heard.is_empty() && heard.iter().all(|topic| topic == "yt/v1/GLOBEX/FAN-1/ack"), "{heard:?}");
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_running_broker_learns_of_a_new_password_and_of_a_device_that_was_stopped() {
    let world = World::new().await;
    world.write(&[]).await;
    let broker = world.start().await;
    let pid = world.file("mosquitto.pid");
    let reload = ["--reload", pid.to_str().unwrap()];
    assert!(world.write(&reload).await.contains("nothing changed"), "and so nothing is read again");

    let said = world.command.run(&["device", "password", "ACME", "PUMP-1"]).await.succeeded();
    assert!(said.contains("ACME.PUMP-1 signs in with the following password"), "{said}");
    let password = said.lines().last().unwrap().trim().to_owned();
    let stop = "update device set enabled = false where code = 'FAN-1'";
    world.db.admin().await.execute(stop, &[]).await.unwrap();
    let said = world.write(&reload).await;
    assert!(said.contains("1 devices and 2 accounts") && said.contains("reads its files again"), "{said}");
    testkit::wait_until("the new password", PATIENCE, async || {
        Connection::open(&broker, "ACME.PUMP-1", &password).await.ok()
    })
    .await;
    assert!(Connection::open(&broker, "ACME.PUMP-1", PUMP).await.is_err(), "the old password is none");
    assert!(Connection::open(&broker, "GLOBEX.FAN-1", FAN).await.is_err(), "the device was stopped");
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn the_files_are_for_the_folders_owner_and_hold_no_device_of_a_stopped_client() {
    let world = World::new().await;
    world.write(&[]).await;
    let owner = fs::metadata(&world.broker).unwrap().uid();
    for name in ["passwords", "access"] {
        let file = fs::metadata(world.file(name)).unwrap();
        assert_eq!((file.uid(), file.mode() & 0o777), (owner, 0o600), "{name}");
    }
    let stop = "update client set state = 'STOPPED' where client_id = $1";
    world.db.admin().await.execute(stop, &[&world.acme]).await.unwrap();
    world.write(&[]).await;
    let passwords = fs::read_to_string(world.file("passwords")).unwrap();
    let names: Vec<&str> = passwords.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(names, ["bridge", "health", "GLOBEX.FAN-1"]);
}

#[tokio::test]
async fn a_device_without_a_password_and_one_nobody_has_are_said() {
    let world = World::new().await;
    let site = world.db.site(world.acme, "YARD").await;
    world.db.device(world.acme, site, "NEW-1").await;
    let said = world.write(&[]).await;
    assert!(said.contains("1 devices have no password and are left out"), "{said}");
    let said = world.command.run(&["device", "password", "ACME", "GHOST"]).await.failed();
    assert!(said.contains("there is no device ACME GHOST"), "{said}");
}
