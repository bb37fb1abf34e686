//! Which hosts may be spoken to: those that the command line names, and no others.
//!
//! A program is a text that people pass on, and an address in it may be one that only this machine
//! can reach. So who runs it says where it may go, redirects included.

use reqwest::Url;

/// Hosts and ports of `--allow-http`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed(Vec<(String, Option<u16>)>);

impl Allowed {
    /// From texts `HOST` (ports 80 and 443) and `HOST:PORT`; an error names the one that is neither.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        let mut hosts = Vec::new();
        for text in texts {
            let url = Url::parse(&format!("http://{text}")).ok();
            let plain = url.filter(|url| {
                url.username().is_empty()
                    && url.password().is_none()
                    && url.path() == "/"
                    && !text.ends_with('/')
                    && url.query().is_none()
                    && url.fragment().is_none()
            });
            let host = plain.as_ref().and_then(|url| url.host_str()).map(str::to_owned);
            let Some(host) = host else { return Err(text.clone()) };
            // A port that is the scheme's own is not kept by the parser.
            let behind = text.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
            let port = behind.and_then(|(_, port)| port.parse().ok());
            hosts.push((host, port));
        }
        Ok(Allowed(hosts))
    }

    /// Whether `url` is at one of them.
    pub fn permits(&self, url: &Url) -> bool {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return false;
        };
        let usual = matches!((url.scheme(), port), ("http", 80) | ("https", 443));
        matches!(url.scheme(), "http" | "https")
            && self.0.iter().any(|(named, at)| {
                named.eq_ignore_ascii_case(host) && at.map_or(usual, |at| at == port)
            })
    }

    /// What would have to be named for `url`: `HOST`, or `HOST:PORT` of an unusual port.
    pub fn name_of(url: &Url) -> String {
        let host = url.host_str().unwrap_or_default();
        url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

/// An address that may be called at all: `http` or `https`, a host, no user and no password.
pub fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| {
        format!("`{text}` is no address ({error}); write `http://HOST:PORT/PATH`")
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("`{text}` is no address; write `http://HOST:PORT/PATH`"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a key does not belong in an address; give it by `token: env(\"NAME\")`".into());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(texts: &[&str]) -> Allowed {
        Allowed::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn only_what_is_named_is_permitted() {
        let list = allowed(&["example.com", "localhost:9000", "[::1]:8", "h:80"]);
        let permits = |url: &str| list.permits(&Url::parse(url).unwrap());
        for url in [
            "http://example.com/a?b",
            "https://EXAMPLE.com",
            "http://localhost:9000/x",
            "http://[::1]:8/",
            "http://h/",
        ] {
            assert!(permits(url), "{url}");
        }
        for url in [
            "http://example.com:8080",
            "https://example.com:80",
            "http://a.example.com",
            "http://example.com.evil.org",
            "http://localhost",
            "http://127.0.0.1:9000",
            "http://[::1]",
            "https://h/",
            "ftp://example.com",
            "http://example.com@evil.org/",
        ] {
            assert!(!permits(url), "{url}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", "http://h", "h/path", "a@h", "h:99999", "h:x", "h?q"] {
            assert_eq!(Allowed::parse(&[text.to_owned()]), Err(text.to_owned()));
        }
        assert!(address("http://u:p@h/").is_err() && address("h:1").is_err());
        assert!(address("file:///etc/passwd").is_err() && address("https://h/x").is_ok());
        assert_eq!(Allowed::name_of(&Url::parse("http://h:9/x").unwrap()), "h:9");
        assert_eq!(Allowed::name_of(&Url::parse("https://h:443/x").unwrap()), "h");
    }
}
