//! Certificates and key of one process, from files or from one line of text.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::ClusterError;

/// Longest file or line that is read.
const MOST_BYTES: usize = 256 << 10;
/// Most certificates in a chain, or authorities.
const MOST_CERTIFICATES: usize = 16;

/// Who a process is. It has no `Debug`: it holds a key.
pub(super) struct Identity {
    /// Whose signatures count.
    pub(super) authority: Vec<CertificateDer<'static>>,
    /// The process's own certificate, then those between it and the authority.
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(super) fn duplicate(&self) -> Self {
        let (authority, chain) = (self.authority.clone(), self.chain.clone());
        Self { authority, chain, key: self.key.clone_key() }
    }

    pub(super) fn from_files(
        authority: &Path,
        certificate: &Path,
        key: &Path,
    ) -> Result<Self, ClusterError> {
        let authority = certificates(authority)?;
        let chain = certificates(certificate)?;
        let wrong = |reason: String| ClusterError::CertificateFile { path: key.into(), reason };
        let mode = fs::metadata(key).map_err(|error| wrong(error.to_string()))?.permissions();
        if mode.mode() & 0o007 != 0 {
            let reason = "every user of this host may read the key; `chmod 600` it".to_owned();
            return Err(wrong(reason));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(key)?)
            .map_err(|error| wrong(format!("no private key in PEM: {error}")))?;
        Ok(Self { authority, chain, key })
    }

    /// `AUTHORITY[,AUTHORITY].CERTIFICATE[,CERTIFICATE].KEY`, each in base64 of its DER.
    pub(super) fn to_line(&self) -> String {
        let list = |certificates: &[CertificateDer<'_>]| {
            let encoded: Vec<String> =
                certificates.iter().map(|certificate| STANDARD.encode(certificate)).collect();
            encoded.join(",")
        };
        let key = STANDARD.encode(self.key.secret_der());
        format!("{}.{}.{key}", list(&self.authority), list(&self.chain))
    }

    /// The error says nothing of the text, which holds a key.
    pub(super) fn from_line(line: &str) -> Result<Self, ClusterError> {
        let list = |text: &str| {
            let parts = text.split(',').take(MOST_CERTIFICATES + 1);
            let decoded: Option<Vec<_>> =
                parts.map(|part| Some(STANDARD.decode(part).ok()?.into())).collect();
            decoded.filter(|list: &Vec<CertificateDer<'static>>| list.len() <= MOST_CERTIFICATES)
        };
        let parse = || {
            let mut parts = line.trim().split('.');
            let (authority, chain) = (list(parts.next()?)?, list(parts.next()?)?);
            let key = STANDARD.decode(parts.next()?).ok()?;
            let key = PrivateKeyDer::try_from(key).ok()?;
            parts.next().is_none().then_some(Self { authority, chain, key })
        };
        let identity = if line.len() <= MOST_BYTES { parse() } else { None };
        identity.ok_or_else(|| ClusterError::Certificate {
            reason: format!("{} is damaged; take it from the run anew", super::Tls::VARIABLE),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ClusterError> {
    use std::io::Read;
    let wrong = |reason: String| ClusterError::CertificateFile { path: path.into(), reason };
    let file = fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| wrong(error.to_string()))?;
    if bytes.len() > MOST_BYTES {
        return Err(wrong(format!("it has more than {MOST_BYTES} bytes")));
    }
    Ok(bytes)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ClusterError> {
    let wrong = |reason: String| ClusterError::CertificateFile { path: path.into(), reason };
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&bytes).take(MOST_CERTIFICATES + 1).collect();
    match found {
        Ok(found) if found.is_empty() => Err(wrong("no certificate in PEM".to_owned())),
        Ok(found) if found.len() > MOST_CERTIFICATES => {
            Err(wrong(format!("more than {MOST_CERTIFICATES} certificates")))
        }
        Ok(found) => Ok(found),
        Err(error) => Err(wrong(format!("no certificate in PEM: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tls::authority::Authority;

    #[test]
    fn a_line_goes_round_and_has_no_line_end() {
        let identity = Authority::new().unwrap().issue().unwrap();
        let line = identity.to_line();
        assert!(!line.contains(char::is_whitespace));
        let again = Identity::from_line(&line).unwrap();
        assert_eq!(again.authority, identity.authority);
        assert_eq!(again.chain, identity.chain);
        assert_eq!(again.key, identity.key);
    }

    proptest! {
        #[test]
        fn a_damaged_line_is_an_error_that_does_not_repeat_it(
            at in any::<prop::sample::Index>(), with in "[ -~]{0,3}", cut in any::<bool>(),
        ) {
            let line = Authority::new().unwrap().issue().unwrap().to_line();
            let at = at.index(line.len());
            let rest = if cut { "" } else { &line[at..] };
            let damaged = format!("{}{with}{rest}", &line[..at]);
            if let Err(error) = Identity::from_line(&damaged) {
                let said = error.to_string();
                prop_assert!(!said.contains(&line[line.len() - 30..]), "{said}");
            }
        }
    }
}
