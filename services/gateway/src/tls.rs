//! The gateway's certificate and key, and how they are replaced.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::settings::TlsSettings;

/// What the listener speaks.
const PROTOCOL: &[u8] = b"http/1.1";

/// The keys handshakes use.
#[derive(Debug)]
pub(crate) struct Keys(ArcSwap<ServerConfig>);

impl Keys {
    /// Reads certificate and key; `None` when none are configured.
    pub(crate) fn open(settings: &TlsSettings) -> anyhow::Result<Option<Self>> {
        if !settings.is_configured() {
            return Ok(None);
        }
        Ok(Some(Self(ArcSwap::from(read(settings)?))))
    }

    /// The keys for the next handshake.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        self.0.load_full()
    }

    /// Reads certificate and key again. Connections that stand are not touched.
    ///
    /// # Errors
    /// When they do not fit; the last good ones stay.
    pub(crate) fn renew(&self, settings: &TlsSettings) -> anyhow::Result<()> {
        self.0.store(read(settings)?);
        Ok(())
    }
}

/// Makes TLS 1.2 and 1.3 with one certificate chain. Its key must belong to it.
fn read(settings: &TlsSettings) -> anyhow::Result<Arc<ServerConfig>> {
    let certificates = read_certificates(&settings.certificate_file)?;
    let key_file = settings.key_file.display();
    let key =
        PrivateKeyDer::from_pem_file(&settings.key_file).with_context(|| format!("reading {key_file}"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .context("choosing versions of TLS")?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .with_context(|| format!("using {} with {key_file}", settings.certificate_file.display()))?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new().context("making the keys of session tickets")?;
    Ok(Arc::new(config))
}

fn read_certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let name = file.display();
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("reading {name}"))?;
    ensure!(!certificates.is_empty(), "{name} holds no certificate");
    Ok(certificates)
}
