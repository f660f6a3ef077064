//! The client's options for both connections.

use std::sync::Arc;

use anyhow::Result;
use aws_lc_rs::hmac;
use rumqttc::v5::MqttOptions;
use rumqttc::v5::mqttbytes::v5::ConnectProperties;
use rumqttc::{NetworkOptions, TlsConfiguration, Transport};
use service::tls::BrokerTls;

use crate::settings::BrokerSettings;

/// Options of the connection that receives: a session that outlives us, acknowledged by hand.
pub(super) fn receiving(settings: &BrokerSettings) -> Result<MqttOptions> {
    let mut options = common(settings, session_name(settings))?;
    let mut properties = properties(settings);
    properties.session_expiry_interval = Some(settings.session_expiry_seconds);
    properties.receive_maximum = Some(settings.receive_maximum);
    options.set_clean_start(false).set_manual_acks(true).set_connect_properties(properties);
    Ok(options)
}

/// Options of the connection that answers: nothing to remember.
pub(super) fn answering(settings: &BrokerSettings) -> Result<MqttOptions> {
    let mut options = common(settings, format!("{}-tx", session_name(settings)))?;
    options
        .set_clean_start(true)
        .set_connect_properties(properties(settings))
        .set_outgoing_inflight_upper_limit(settings.answers_in_flight_max);
    Ok(options)
}

/// Options of the connection that publishes for tasks: nothing to remember, and no more under way than tasks run.
pub(super) fn publishing(settings: &BrokerSettings, in_flight_max: u16) -> Result<MqttOptions> {
    let mut options = common(settings, format!("{}-pub", session_name(settings)))?;
    options
        .set_clean_start(true)
        .set_connect_properties(properties(settings))
        .set_outgoing_inflight_upper_limit(in_flight_max);
    Ok(options)
}

/// The name of our session: the replica's, and a mark that only who knows our password can make.
///
/// A broker closes a connection when another one comes under the same name, whatever its account. A name that devices
/// cannot guess is one they cannot take. The same replica with the same password finds its session again.
fn session_name(settings: &BrokerSettings) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, settings.password.expose().as_bytes());
    let tag = hmac::sign(&key, format!("mqtt session of {}", settings.client_id).as_bytes());
    let mark = tag.as_ref().first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes));
    format!("{}-{mark:032x}", settings.client_id)
}

fn common(settings: &BrokerSettings, client_id: String) -> Result<MqttOptions> {
    let mut options = MqttOptions::new(client_id, settings.host.clone(), settings.port);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(settings.connect_timeout_seconds);
    options
        .set_credentials(settings.username.clone(), settings.password.expose())
        .set_keep_alive(settings.keep_alive())
        .set_connection_timeout(settings.connect_timeout_seconds)
        .set_network_options(network)
        .set_transport(transport(settings)?);
    Ok(options)
}

/// Topic aliases stay forbidden: the client would hand out messages whose topic is empty.
fn properties(settings: &BrokerSettings) -> ConnectProperties {
    let mut properties = ConnectProperties::new();
    properties.max_packet_size = Some(settings.packet_bytes_max);
    properties
}

fn transport(settings: &BrokerSettings) -> Result<Transport> {
    Ok(match settings.tls {
        BrokerTls::Disable => Transport::Tcp,
        BrokerTls::Verify => {
            let client = service::tls::client(&settings.ca_file)?;
            Transport::Tls(TlsConfiguration::Rustls(Arc::new(client)))
        }
    })
}

#[cfg(test)]
mod tests {
    use domain::Secret;

    use super::*;

    fn names(replica: &str, password: &str) -> (String, String) {
        let pairs =
            [("YOUTILITY_DATABASE__TLS", "disable"), ("YOUTILITY_PROCESS__ENVIRONMENT", "development")];
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let settings: crate::Settings = service::load_settings(&crate::about(), &[], pairs).unwrap();
        let broker = BrokerSettings {
            client_id: replica.to_owned(),
            password: Secret::new(password),
            tls: BrokerTls::Disable,
            ..settings.broker
        };
        (receiving(&broker).unwrap().client_id(), answering(&broker).unwrap().client_id())
    }

    #[test]
    fn a_replica_finds_its_session_again_and_shares_it_with_nobody() {
        let (session, answers) = names("bridge-0", "one");
        assert_eq!(names("bridge-0", "one"), (session.clone(), answers.clone()));
        assert_ne!(session, answers);
        assert_ne!(names("bridge-1", "one").0.split_off(8), session.clone().split_off(8));
    }

    #[test]
    fn who_knows_the_replica_and_not_the_password_cannot_name_the_session() {
        let (session, answers) = names("bridge-0", "one");
        for name in [&session, &answers] {
            assert!(name.starts_with("bridge-0-") && name.len() >= 9 + 32, "{name}");
        }
        assert_ne!(names("bridge-0", "another").0, session);
    }
}
