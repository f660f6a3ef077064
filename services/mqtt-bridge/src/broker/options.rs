//! The client's options for both connections.

use std::sync::Arc;

use anyhow::{Context, Result};
use rumqttc::v5::MqttOptions;
use rumqttc::v5::mqttbytes::v5::ConnectProperties;
use rumqttc::{NetworkOptions, TlsConfiguration, Transport};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use rustls_platform_verifier::ConfigVerifierExt;

use crate::settings::{BrokerSettings, BrokerTls};

/// Options of the connection that receives: a session that outlives us, acknowledged by hand.
pub(super) fn receiving(settings: &BrokerSettings) -> Result<MqttOptions> {
    let mut options = common(settings, settings.client_id.clone())?;
    let mut properties = properties(settings);
    properties.session_expiry_interval = Some(settings.session_expiry_seconds);
    properties.receive_maximum = Some(settings.receive_maximum);
    options.set_clean_start(false).set_manual_acks(true).set_connect_properties(properties);
    Ok(options)
}

/// Options of the connection that answers: nothing to remember.
pub(super) fn answering(settings: &BrokerSettings) -> Result<MqttOptions> {
    let mut options = common(settings, format!("{}-tx", settings.client_id))?;
    options
        .set_clean_start(true)
        .set_connect_properties(properties(settings))
        .set_outgoing_inflight_upper_limit(settings.answers_in_flight_max);
    Ok(options)
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
    let config = match (settings.tls, settings.ca_file.as_str()) {
        (BrokerTls::Disable, _) => return Ok(Transport::Tcp),
        (BrokerTls::Verify, "") => {
            ClientConfig::with_platform_verifier().context("setting up TLS to the broker")?
        }
        (BrokerTls::Verify, file) => {
            ClientConfig::builder().with_root_certificates(authorities(file)?).with_no_client_auth()
        }
    };
    Ok(Transport::Tls(TlsConfiguration::Rustls(Arc::new(config))))
}

fn authorities(file: &str) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).with_context(|| format!("reading {file}"))? {
        let certificate = certificate.with_context(|| format!("reading {file}"))?;
        roots.add(certificate).with_context(|| format!("trusting a certificate of {file}"))?;
    }
    anyhow::ensure!(!roots.is_empty(), "{file} holds no certificate");
    Ok(roots)
}
