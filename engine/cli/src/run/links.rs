//! Where workers reach the supervisor, and how the processes of a run are connected.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sage_cluster::{ControlPort, Tls, Transport};

use super::options::Options;
use crate::exit::{usage, usage_of};

/// How the processes of a run are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LinkKind {
    /// Both ends prove the run's secret; what follows can be read on the way
    Hmac,
    /// The same within mutual TLS 1.3, with certificates that are made for the run
    Tls,
}

/// The options of `run` that concern several hosts.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct LinkArguments {
    /// Address of this host at which workers on others reach it; port 0 is any, and of several
    /// programs each has the next one
    #[arg(long, value_name = "IP[:PORT]", value_parser = parse_bind)]
    pub(crate) bind: Option<SocketAddr>,
    /// How processes are connected [default: hmac on the loopback, else tls]
    #[arg(long, value_name = "HOW", value_enum)]
    pub(crate) links: Option<LinkKind>,
    #[command(flatten)]
    pub(crate) files: TlsFiles,
}

/// Certificates in files, in place of those that are made for a run.
#[derive(Debug, Clone, Default, Args)]
#[expect(clippy::struct_field_names, reason = "the names of the options")]
pub(crate) struct TlsFiles {
    /// Authority that has signed the certificates of all processes of the run, and no others (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_certificate", requires = "tls_key")]
    pub(crate) tls_authority: Option<PathBuf>,
    /// Certificate of this process, for servers and clients (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_authority")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// Key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_authority")]
    pub(crate) tls_key: Option<PathBuf>,
}

impl TlsFiles {
    /// What they hold, if there are any.
    pub(crate) fn read(&self) -> anyhow::Result<Option<Tls>> {
        let (Some(authority), Some(certificate), Some(key)) =
            (&self.tls_authority, &self.tls_certificate, &self.tls_key)
        else {
            return Ok(None);
        };
        Tls::from_files(authority, certificate, key).map(Some).map_err(usage_of)
    }
}

/// The links of a run, once its certificates are there.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    /// Where the control port is opened.
    pub(crate) listen: SocketAddr,
    /// Whether --bind said so.
    named: bool,
    pub(crate) transport: Transport,
}

impl Default for Links {
    /// Those of a run on this host.
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Links { listen, named: false, transport: Transport::Hmac }
    }
}

impl Links {
    /// Of a run with these options.
    pub(crate) fn of(options: &Options) -> anyhow::Result<Self> {
        let routed = match options.links.bind {
            Some(_) => None,
            None => options.launch.address()?.map(|address| SocketAddr::new(address, 0)),
        };
        // Who starts the supervisor elsewhere may have given it what its workers were given.
        let given = options.launch.comes_back().then(|| std::env::var(Tls::VARIABLE).ok());
        Self::open(&options.links, routed, given.flatten().as_deref())
    }

    /// Make the certificates, or read them; `given` are those of the environment.
    fn open(
        arguments: &LinkArguments,
        routed: Option<SocketAddr>,
        given: Option<&str>,
    ) -> anyhow::Result<Self> {
        let listen = arguments.bind.or(routed).unwrap_or(Links::default().listen);
        let files = arguments.files.tls_authority.is_some();
        let default =
            if listen.ip().is_loopback() && !files { LinkKind::Hmac } else { LinkKind::Tls };
        let transport = match arguments.links.unwrap_or(default) {
            LinkKind::Hmac if files => {
                return Err(usage("--tls-authority: there are no certificates with --links hmac"));
            }
            LinkKind::Hmac => Transport::Hmac,
            LinkKind::Tls => Transport::Tls(match (arguments.files.read()?, given) {
                (Some(tls), _) => tls,
                (None, Some(line)) => Tls::from_credentials(line).map_err(usage_of)?,
                (None, None) => Tls::for_run()?,
            }),
        };
        Ok(Links { listen, named: arguments.bind.is_some(), transport })
    }

    /// Those of a job, by its number: with a fixed port the first one has that, the others the next
    /// ones.
    pub(crate) fn of_job(&self, number: usize) -> anyhow::Result<Self> {
        let mut links = self.clone();
        let port = links.listen.port();
        if port != 0 {
            let own = u16::try_from(number).ok().and_then(|number| port.checked_add(number));
            let own = own.ok_or_else(|| {
                usage(format!("--bind {}: there are not enough ports behind it", self.listen))
            })?;
            links.listen.set_port(own);
        }
        Ok(links)
    }

    /// Whether the control ports of so many jobs can be opened, before anything is started.
    pub(crate) fn check(&self, jobs: usize) -> anyhow::Result<()> {
        for number in 0..jobs {
            let listen = self.of_job(number)?.listen;
            if let Err(error) = ControlPort::open(listen) {
                let option = if self.named { "--bind " } else { "" };
                return Err(usage(format!("{option}{:#}", anyhow::Error::new(error))));
            }
        }
        Ok(())
    }

    /// Where the gateway listens: beside the control port.
    pub(crate) fn gateway(&self) -> SocketAddr {
        SocketAddr::new(self.listen.ip(), 0)
    }

    /// The certificates, if there are any.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        match &self.transport {
            Transport::Hmac => None,
            Transport::Tls(tls) => Some(tls),
        }
    }
}

/// `10.0.0.1`, `10.0.0.1:7000`, `::1`, `[::1]:7000`, and `[10.0.0.1]:7000`, which who does not know
/// what kind of address it is can write.
fn parse_bind(text: &str) -> Result<SocketAddr, String> {
    let plain = text.strip_prefix('[').and_then(|rest| rest.split_once("]:"));
    let plain = plain.and_then(|(ip, port)| {
        Some(SocketAddr::new(ip.parse::<IpAddr>().ok()?, port.parse().ok()?))
    });
    let address = plain
        .map_or_else(|| text.parse::<SocketAddr>(), Ok)
        .or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0)))
        .map_err(|_| "expected an address of this host, IP or IP:PORT".to_owned())?;
    if address.ip().is_unspecified() {
        return Err("other hosts cannot dial it; name the address that they reach".to_owned());
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_port_and_must_be_one_that_can_be_dialled() {
        let port = |text| parse_bind(text).map(|address| address.port());
        assert_eq!(port("10.0.0.1"), Ok(0));
        assert_eq!(port("10.0.0.1:7000"), Ok(7000));
        assert_eq!(port("::1"), Ok(0));
        assert_eq!(port("[::1]:7000"), Ok(7000));
        assert_eq!(port("[10.0.0.1]:7000"), Ok(7000));
        for wrong in ["0.0.0.0", "[::]:7000", "localhost", "10.0.0.1:x", ""] {
            assert!(parse_bind(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_job_has_a_port_of_its_own() {
        let links = |text| Links { listen: parse_bind(text).unwrap(), ..Links::default() };
        let port = |text, number| links(text).of_job(number).map(|links| links.listen.port());
        assert_eq!(port("10.0.0.1:7000", 0).unwrap(), 7000);
        assert_eq!(port("10.0.0.1:7000", 2).unwrap(), 7002);
        assert_eq!(port("10.0.0.1", 2).unwrap(), 0);
        assert!(port("10.0.0.1:65535", 1).unwrap_err().to_string().contains("not enough ports"));
    }

    #[test]
    fn tls_is_the_rule_for_all_but_the_loopback() {
        let of = |bind: Option<&str>, links| {
            let bind = bind.map(|text| parse_bind(text).unwrap());
            let arguments = LinkArguments { bind, links, ..LinkArguments::default() };
            Links::open(&arguments, None, None).unwrap().tls().is_some()
        };
        assert!(!of(None, None));
        assert!(!of(Some("127.0.0.1"), None));
        assert!(of(Some("192.0.2.1"), None));
        assert!(of(None, Some(LinkKind::Tls)));
        assert!(!of(Some("192.0.2.1"), Some(LinkKind::Hmac)));
    }
}
