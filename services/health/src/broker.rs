//! The question to the MQTT broker: a CONNECT packet of MQTT 5, answered by a CONNACK.

use std::io;
use std::sync::Arc;

use anyhow::Context;
use rustls_pki_types::ServerName;
use service::tls::BrokerTls;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::finding::Finding;
use crate::settings::BrokerSettings;

/// First byte of a CONNECT packet.
const CONNECT: u8 = 0x10;
/// First byte of a CONNACK packet.
const CONNACK: u8 = 0x20;
/// A whole DISCONNECT packet.
const DISCONNECT: [u8; 2] = [0xe0, 0x00];
/// Protocol name and version, then the flags follow.
const PROTOCOL: [u8; 7] = [0, 4, b'M', b'Q', b'T', b'T', 5];
/// No state is kept for this client.
const CLEAN_START: u8 = 0x02;
/// User name and password follow.
const CREDENTIALS: u8 = 0xc0;
/// Seconds of silence after which the broker may close.
const KEEP_ALIVE: [u8; 2] = [0, 10];
/// An empty list of properties.
const NO_PROPERTIES: u8 = 0;

/// Asks whether the broker takes connections.
pub(crate) struct BrokerProbe {
    settings: BrokerSettings,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl BrokerProbe {
    /// Connects anew for each question.
    pub(crate) fn new(settings: BrokerSettings) -> anyhow::Result<Self> {
        let tls = match settings.tls {
            BrokerTls::Disable => None,
            BrokerTls::Verify => {
                let client = Arc::new(service::tls::client(&settings.ca_file)?);
                let name =
                    ServerName::try_from(settings.host.clone()).context("broker.host is no host name")?;
                Some((TlsConnector::from(client), name))
            }
        };
        Ok(Self { settings, tls })
    }

    /// Asks.
    pub(crate) async fn ask(&mut self) -> Finding {
        match self.connect().await {
            Ok(0) => Finding::healthy("accepts connections"),
            Ok(_) if self.settings.username.is_empty() => Finding::healthy("answers"),
            Ok(reason) => Finding::unhealthy(format!("refuses the connection: MQTT reason 0x{reason:02x}")),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Finding::unhealthy("does not speak as it should")
            }
            Err(error) => Finding::unhealthy(format!("cannot be reached: {}", error.kind())),
        }
    }

    async fn connect(&self) -> io::Result<u8> {
        let stream = TcpStream::connect((self.settings.host.as_str(), self.settings.port)).await?;
        match &self.tls {
            None => greet(stream, &self.settings).await,
            Some((tls, name)) => greet(tls.connect(name.clone(), stream).await?, &self.settings).await,
        }
    }
}

/// Introduces itself, says good-bye, and returns the broker's reason code.
async fn greet<S>(mut stream: S, settings: &BrokerSettings) -> io::Result<u8>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(&connect_packet(settings)?).await?;
    stream.flush().await?;
    if stream.read_u8().await? != CONNACK {
        return Err(io::ErrorKind::InvalidData.into());
    }
    while stream.read_u8().await? & 0x80 != 0 {
        // Further bytes of the length: properties are of no interest, and reading ends after the reason.
    }
    let [_session_present, reason] = stream.read_u16().await?.to_be_bytes();
    if reason == 0 {
        stream.write_all(&DISCONNECT).await?;
        stream.shutdown().await?;
    }
    Ok(reason)
}

fn connect_packet(settings: &BrokerSettings) -> io::Result<Vec<u8>> {
    let anonymous = settings.username.is_empty();
    let mut body = PROTOCOL.to_vec();
    body.push(if anonymous { CLEAN_START } else { CLEAN_START | CREDENTIALS });
    body.extend(KEEP_ALIVE);
    body.push(NO_PROPERTIES);
    // Without a name of its own the broker gives one, so that two replicas never close each other's connection.
    put_text(&mut body, "")?;
    if !anonymous {
        put_text(&mut body, &settings.username)?;
        put_text(&mut body, settings.password.expose())?;
    }
    let mut packet = vec![CONNECT];
    put_length(&mut packet, body.len())?;
    packet.extend(body);
    Ok(packet)
}

fn put_text(packet: &mut Vec<u8>, text: &str) -> io::Result<()> {
    let length = u16::try_from(text.len()).map_err(io::Error::other)?;
    packet.extend(length.to_be_bytes());
    packet.extend(text.as_bytes());
    Ok(())
}

/// Seven bits per byte, lowest first, the eighth says that more follow.
fn put_length(packet: &mut Vec<u8>, mut length: usize) -> io::Result<()> {
    loop {
        let digit = u8::try_from(length & 0x7f).map_err(io::Error::other)?;
        length >>= 7;
        packet.push(if length > 0 { digit | 0x80 } else { digit });
        if length == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use domain::Secret;

    use super::*;

    fn settings(username: &str, password: String) -> BrokerSettings {
        BrokerSettings {
            host: String::new(),
            port: 1883,
            tls: BrokerTls::Disable,
            ca_file: PathBuf::new(),
            username: username.to_owned(),
            password: Secret::new(password),
        }
    }

    #[test]
    fn a_connect_packet_without_credentials_carries_nothing_but_its_frame() {
        let packet = connect_packet(&settings("", String::new())).unwrap();
        assert_eq!(packet, [0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 10, 0, 0, 0]);
    }

    #[test]
    fn a_long_password_makes_a_length_of_two_bytes() {
        let packet = connect_packet(&settings("health", "x".repeat(200))).unwrap();
        let rest = packet.len() - 3;
        assert_eq!(usize::from(packet[1] & 0x7f) + usize::from(packet[2]) * 128, rest);
    }
}
