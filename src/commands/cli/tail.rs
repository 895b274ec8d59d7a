//! What can be typed behind `tail`.

use std::net::IpAddr;

use clap::{Args, ValueEnum};

use super::Environment;
use super::token::token;

#[derive(Debug, Args)]
pub struct Tail {
    #[command(flatten)]
    pub environment: Environment,
    /// Only one of the two scripts
    #[arg(long, value_name = "SCRIPT")]
    pub script: Option<Role>,
    /// Only what ended like this; may be repeated
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub status: Vec<Status>,
    /// Only requests of this client, or of `self`; may be repeated
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', value_parser = address)]
    pub ip: Vec<String>,
    /// Only requests with this method; may be repeated
    #[arg(long, value_name = "METHOD", value_delimiter = ',', value_parser = method)]
    pub method: Vec<String>,
    /// Only what has logged this text
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// Only what is about this room
    #[arg(long, value_name = "TOKEN", value_parser = token)]
    pub token: Option<String>,
    /// Only what this version of a script did
    #[arg(long, value_name = "ID")]
    pub version: Option<String>,
    /// Only a share of all events, above 0 and below 1
    #[arg(long, value_name = "SHARE", value_parser = sampling)]
    pub sampling: Option<f64>,
}

/// A script of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    Gateway,
    Room,
}

/// How an event ended, in wrangler's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Status {
    Ok,
    Error,
    Canceled,
}

fn address(text: &str) -> Result<String, String> {
    match text == "self" || text.parse::<IpAddr>().is_ok() {
        true => Ok(text.to_owned()),
        false => Err("it is no IP address, and not `self`".to_owned()),
    }
}

fn method(text: &str) -> Result<String, String> {
    match !text.is_empty() && text.chars().all(|c| c.is_ascii_alphabetic()) {
        true => Ok(text.to_ascii_uppercase()),
        false => Err("it is no method".to_owned()),
    }
}

fn sampling(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("it is no number above 0 and below 1; `0.25` is every fourth event".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_would_not_understand_is_refused() {
        assert_eq!(method("post").as_deref(), Ok("POST"));
        assert!(["", "GET;", "a b"].iter().all(|text| method(text).is_err()));
        assert_eq!(sampling("0.25"), Ok(0.25));
        let wrong = ["0", "1", "25%", "NaN", "-1"];
        assert!(wrong.iter().all(|text| sampling(text).is_err()));
        assert!(
            ["self", "192.0.2.1", "2001:db8::1"]
                .iter()
                .all(|text| address(text).is_ok())
        );
        assert!(address("here").is_err());
    }
}
