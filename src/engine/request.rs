//! What a request of a task carries, beside its range: the fields of a `Request` that are kept, and to whom they are
//! told. Headers belong to the origin they were given for.

use serde::{Deserialize, Serialize};

/// Where a representation can be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The URL, as the browser serialised it.
    pub url: String,
    /// Its host and port: connections are counted by it.
    pub host: String,
    /// Its origin, as the browser serialised it.
    pub origin: String,
}

/// A header's name and value.
pub type Header = (String, String);

/// `Request.credentials` of the Fetch standard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credentials {
    /// Cookies go to the worker's own origin only.
    #[default]
    SameOrigin,
    /// Cookies go with every request.
    Include,
    /// No cookies.
    Omit,
}

impl Credentials {
    /// The word of the Fetch standard.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SameOrigin => "same-origin",
            Self::Include => "include",
            Self::Omit => "omit",
        }
    }
}

/// What the app allows of redirects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Redirects {
    /// Those that take none of the task's headers along to another origin.
    #[default]
    Follow,
    /// None.
    Refuse,
    /// All.
    FollowWithHeaders,
}

/// What becomes of one request if it is redirected. To where is known only once it has been followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRedirect {
    /// It is followed.
    #[default]
    Follow,
    /// It is followed within the worker's own origin.
    StayHome,
    /// It fails.
    Refuse,
}

/// What every request of a task carries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestFields {
    /// Headers that may be stored, for the origin of the task's URL.
    pub headers: Vec<Header>,
    /// Whether it needs headers that must not be stored: after a boot it has to ask for them.
    pub has_secrets: bool,
    /// Whether cookies are sent.
    pub credentials: Credentials,
    /// `Request.referrerPolicy`, if the app set one.
    pub referrer_policy: Option<String>,
    /// Which redirects are followed.
    pub redirects: Redirects,
    /// The names of the answer's headers that the app wants to read afterwards.
    pub keep_headers: Vec<String>,
}

/// The origin of an absolute URL (RFC 6454 section 4), as the URL is written.
pub fn origin_of(url: &str) -> &str {
    let from = url.find("://").map_or(0, |at| at + 3);
    let len = url.get(from..).and_then(|rest| rest.find(['/', '?', '#']));
    len.and_then(|len| url.get(..from + len)).unwrap_or(url)
}

impl RequestFields {
    /// What becomes of a request that carries these headers to its own origin, or to another, if it is redirected.
    pub fn on_redirect(&self, headers: &[Header], is_own: bool) -> OnRedirect {
        match self.redirects {
            Redirects::Refuse => OnRedirect::Refuse,
            Redirects::Follow if headers.iter().any(|(name, _)| goes_along(name)) => {
                if is_own {
                    OnRedirect::StayHome
                } else {
                    OnRedirect::Refuse
                }
            }
            Redirects::Follow | Redirects::FollowWithHeaders => OnRedirect::Follow,
        }
    }

    /// Whether what is answered may be meant for one user.
    pub fn is_private(&self) -> bool {
        self.has_secrets
            || self.credentials == Credentials::Include
            || !self.headers.iter().all(|(name, _)| is_open(name))
    }

    /// Whether the browser may fetch by itself what needs these headers: it takes all of them along, whatever it is told.
    pub fn may_go_out(&self) -> bool {
        let is_open = |(name, _): &Header| is_open(name);
        self.redirects == Redirects::FollowWithHeaders || self.headers.iter().all(is_open)
    }
}

/// Whether a header is no secret.
pub(super) fn is_open(name: &str) -> bool {
    ["accept", "accept-language", "content-language"].iter().any(|open| open.eq_ignore_ascii_case(name))
}

/// Whether browsers take a secret along to another origin (Fetch, "HTTP-redirect fetch"): all but this one.
fn goes_along(name: &str) -> bool {
    !is_open(name) && !name.eq_ignore_ascii_case("authorization")
}

/// What the first answer said, for the app to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerInfo {
    /// Its status.
    pub status: u16,
    /// The URL behind all redirects, if there were any; without its query, which may be a signature.
    pub final_url: Option<String>,
    /// The headers that the app asked for and CORS let through.
    pub headers: Vec<Header>,
}

/// A URL without its query, which may hold a signature or a token.
pub fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_not_shown() {
        assert_eq!(without_query("https://a.example/f?sig=1#x"), "https://a.example/f");
        assert_eq!(without_query("https://a.example/f"), "https://a.example/f");
    }
}
