//! Who answers for a package: a name and a mail address, as dpkg wants them. This source cannot know.

use std::env;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

/// Where Debian's own tools look, too.
const NAME: &str = "DEBFULLNAME";
const ADDRESS: &str = "DEBEMAIL";

/// `Name <mail address>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Maintainer(String);

impl Maintainer {
    /// Who builds it, if the environment says so, else the administrator of the machine that it is built on.
    pub(super) fn of_environment() -> anyhow::Result<Self> {
        let [name, address] = [NAME, ADDRESS].map(|variable| env::var(variable).ok());
        match (name, address) {
            (Some(name), Some(address)) => format!("{name} <{address}>")
                .parse::<Self>()
                .map_err(|error| anyhow::anyhow!("{NAME} and {ADDRESS}: {error}")),
            _ => Ok(Self("whoever built this package <root@localhost>".to_owned())),
        }
    }
}

impl FromStr for Maintainer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "must be a name and a mail address: Name <user@host>";
        let (name, rest) = text.split_once(" <").ok_or(WANTED)?;
        let (user, host) = rest.strip_suffix('>').and_then(|rest| rest.split_once('@')).ok_or(WANTED)?;
        let is_word = |word: &str| !word.is_empty() && !word.contains(['<', '>', '@', ' ']);
        let fits = !name.trim().is_empty() && is_word(user) && is_word(host);
        // Each line of the control file is a field of its own.
        if fits && !text.contains(char::is_control) { Ok(Self(text.to_owned())) } else { Err(WANTED) }
    }
}

impl Display for Maintainer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_an_address() {
        let text = "Ada Lovelace <ada@example.org>";
        assert_eq!(text.parse::<Maintainer>().map(|maintainer| maintainer.to_string()), Ok(text.to_owned()));
        for wrong in [
            "Ada Lovelace",
            "ada@example.org",
            "<ada@example.org>",
            " <ada@example.org>",
            "Ada <ada>",
            "Ada <a@b@c>",
            "Ada <ada@example.org> x",
            "Ada\nDepends: x <ada@example.org>",
        ] {
            assert!(wrong.parse::<Maintainer>().is_err(), "{wrong:?}");
        }
    }
}
