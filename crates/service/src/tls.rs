//! TLS towards what is neither HTTP nor reached through `store`: brokers, and PostgreSQL as health asks it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde::{Deserialize, Serialize};

/// How the connection to an MQTT broker is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BrokerTls {
    /// Not at all: for the same machine.
    Disable,
    /// By TLS, with the broker's certificate and name checked.
    Verify,
}

/// Makes a client that believes the authorities of a PEM file, or the operating system's when none is named, and checks
/// the name of the server.
///
/// # Errors
/// When the file cannot be read or holds no certificate.
pub fn client(ca_file: impl AsRef<Path>) -> Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = believing(ca_file.as_ref(), Arc::clone(&provider))?;
    client_with(verifier, provider)
}

/// Makes a client that believes the same authorities and overlooks the name of the server.
///
/// # Errors
/// When the file cannot be read or holds no certificate.
pub fn client_overlooking_names(ca_file: impl AsRef<Path>) -> Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = believing(ca_file.as_ref(), Arc::clone(&provider))?;
    client_with(Arc::new(AnyName { chain }), provider)
}

fn client_with(verifier: Arc<dyn ServerCertVerifier>, provider: Arc<CryptoProvider>) -> Result<ClientConfig> {
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("choosing versions of TLS")?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

fn believing(ca_file: &Path, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    if ca_file.as_os_str().is_empty() {
        let system = rustls_platform_verifier::Verifier::new(provider);
        return Ok(Arc::new(system.context("finding the authorities of the operating system")?));
    }
    let file = ca_file.display();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file).with_context(|| format!("reading {file}"))? {
        let certificate = certificate.with_context(|| format!("reading {file}"))?;
        roots.add(certificate).with_context(|| format!("trusting a certificate of {file}"))?;
    }
    ensure!(!roots.is_empty(), "{file} holds no certificate");
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    Ok(verifier.with_context(|| format!("trusting the authorities of {file}"))?)
}

/// Verifies the chain and overlooks the name.
#[derive(Debug)]
struct AnyName {
    chain: Arc<dyn ServerCertVerifier>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
