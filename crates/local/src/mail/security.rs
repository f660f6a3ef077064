//! TLS on the server's side.

use std::fmt;
use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// How conversations are protected.
#[derive(Clone)]
pub enum Security {
    /// Not at all.
    None,
    /// By an upgrade that is asked for; no mail is taken before.
    Starttls(TlsAcceptor),
    /// From the first byte.
    Tls(TlsAcceptor),
}

impl Security {
    /// By an upgrade, with a certificate and its key in PEM.
    ///
    /// # Errors
    /// When they cannot be read or do not belong together.
    pub fn starttls(certificate: &str, key: &str) -> Result<Self> {
        acceptor(certificate, key).map(Self::Starttls)
    }

    /// From the first byte, with a certificate and its key in PEM.
    ///
    /// # Errors
    /// When they cannot be read or do not belong together.
    pub fn tls(certificate: &str, key: &str) -> Result<Self> {
        acceptor(certificate, key).map(Self::Tls)
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "None",
            Self::Starttls(_) => "Starttls",
            Self::Tls(_) => "Tls",
        })
    }
}

fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate.as_bytes())
        .collect::<Result<_, _>>()
        .context("reading the certificate")?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).context("reading the key")?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .context("choosing protocol versions")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("joining certificate and key")?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
