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
    /// Whether a redirect is an error.
    pub refuse_redirects: bool,
    /// The names of the answer's headers that the app wants to read afterwards.
    pub keep_headers: Vec<String>,
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
