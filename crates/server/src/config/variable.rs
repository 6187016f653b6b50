//! What the program knows about a configuration variable, and how a name is recognised.
//!
//! The variables themselves are data in `table.rs`; the only code that knows one of them by name is `sections.rs`.

use super::Environment;
use super::database_url;
use super::table::VARIABLES;

/// Takes the place of a secret wherever a value is shown.
pub(super) const REDACTED: &str = "[redacted]";

/// Programs of other people use these words too (`MAX_MEMORY`, `CLIENT_ID`), so they make no family of ours.
const WORDS_OF_EVERYBODY: [&str; 10] = [
    "BODY", "CLIENT", "KEEP", "MAX", "OTEL", "READ", "REQUEST", "REQUIRE", "TRUSTED", "WRITE",
];

/// One row of the table.
pub(super) struct Variable {
    /// Heading under which the reference table and `.env.example` list it.
    pub(super) group: &'static str,
    pub(super) name: &'static str,
    pub(super) default: DefaultValue,
    /// One line of English, without `|` (it becomes a cell of a Markdown table).
    pub(super) meaning: &'static str,
    pub(super) secrecy: Secrecy,
    pub(super) support: Support,
}

/// The value a variable has when no layer gives one.
pub(super) enum DefaultValue {
    /// The same everywhere; empty means unset.
    Fixed(&'static str),
    /// Chosen once all layers are merged, because any layer may set `ENVIRONMENT`.
    ByEnvironment {
        development: &'static str,
        staging: &'static str,
        production: &'static str,
    },
    /// Worked out from the machine or from another variable; here in words.
    Computed(&'static str),
}

/// How a value may be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    Public,
    Secret,
    /// An address that may hold a password; everything else about it may be shown.
    UrlWithPassword,
    /// Several of them, separated by commas.
    UrlsWithPasswords,
}

/// Whether the program does what the variable asks for.
pub(super) enum Support {
    Active,
    /// Accepted so that an existing `.env` works, without effect for ever.
    Ignored {
        advice: &'static str,
    },
}

impl Variable {
    /// A public variable that works: what most rows are.
    pub(super) const fn new(
        group: &'static str,
        name: &'static str,
        default: DefaultValue,
        meaning: &'static str,
    ) -> Self {
        Self {
            group,
            name,
            default,
            meaning,
            secrecy: Secrecy::Public,
            support: Support::Active,
        }
    }

    pub(super) const fn secrecy(mut self, secrecy: Secrecy) -> Self {
        self.secrecy = secrecy;
        self
    }

    pub(super) const fn ignored(mut self, advice: &'static str) -> Self {
        self.support = Support::Ignored { advice };
        self
    }

    /// The variable whose value the file named by this one holds: `SECRET_KEY` for `SECRET_KEY_FILE`.
    pub(super) fn file_form_of(&self) -> Option<&'static Variable> {
        find(self.name.strip_suffix("_FILE")?)
    }

    /// A value as `config` shows it. The default is in the documentation, so it is never a secret.
    pub(super) fn shown(&self, text: &str) -> String {
        match self.secrecy {
            _ if text.is_empty() || self.default.is(text) => text.to_owned(),
            Secrecy::Public => text.to_owned(),
            Secrecy::Secret => REDACTED.to_owned(),
            Secrecy::UrlWithPassword => database_url::without_password(text),
            Secrecy::UrlsWithPasswords => {
                let urls = text.split(',').map(|url| database_url::without_password(url.trim()));
                urls.collect::<Vec<_>>().join(",")
            }
        }
    }

    /// A refused value as an error shows it. A malformed address can have its password anywhere, so none is shown.
    pub(super) fn shown_in_problem(&self, text: &str) -> String {
        match self.secrecy {
            Secrecy::Public => text.to_owned(),
            Secrecy::Secret | Secrecy::UrlWithPassword | Secrecy::UrlsWithPasswords => REDACTED.to_owned(),
        }
    }
}

impl DefaultValue {
    /// The text that the lowest layer holds; empty where there is none.
    pub(super) fn text(&self, environment: Environment) -> &'static str {
        match (self, environment) {
            (Self::Fixed(text), _) => text,
            (Self::ByEnvironment { development, .. }, Environment::Development) => development,
            (Self::ByEnvironment { staging, .. }, Environment::Staging) => staging,
            (Self::ByEnvironment { production, .. }, Environment::Production) => production,
            (Self::Computed(_), _) => "",
        }
    }

    /// The same in words, for the reference table.
    pub(super) fn described(&self) -> String {
        match self {
            Self::Fixed("") => "unset".to_owned(),
            Self::Fixed(text) => format!("`{text}`"),
            Self::ByEnvironment {
                development,
                staging,
                production,
            } if staging == production => {
                format!("`{development}` in development, else `{production}`")
            }
            Self::ByEnvironment {
                development,
                staging,
                production,
            } if development == staging => {
                format!("`{production}` in production, else `{development}`")
            }
            Self::ByEnvironment {
                development,
                staging,
                production,
            } => format!("`{development}` in development, `{staging}` in staging, `{production}` in production"),
            Self::Computed(words) => (*words).to_owned(),
        }
    }

    fn is(&self, text: &str) -> bool {
        matches!(self, Self::Fixed(fixed) if *fixed == text)
    }
}

/// Looks a variable up by its exact name.
pub(super) fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

/// Whether a name belongs to one of our families (`DB_…`, `API_…`, …), so that not knowing it means a typing error.
/// A family is the first word of any variable that has more than one.
pub(super) fn is_of_our_families(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let Some((first_word, _)) = name.split_once('_') else {
        return false;
    };
    !WORDS_OF_EVERYBODY.contains(&first_word)
        && VARIABLES
            .iter()
            .filter_map(|variable| variable.name.split_once('_'))
            .any(|(family, _)| family == first_word)
}

/// Ends a complaint about an unknown name: the nearest name that exists, if any is near.
pub(super) fn did_you_mean(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    let nearest = VARIABLES
        .iter()
        .map(|variable| (strsim::jaro_winkler(&name, variable.name), variable.name))
        .max_by(|(left, _), (right, _)| left.total_cmp(right));
    match nearest {
        Some((similarity, name)) if similarity > 0.85 => format!("; did you mean `{name}`?"),
        _ => String::new(),
    }
}

/// Whether a name outside our families looks like one of ours mistyped (`ENVIRONEMNT`, but not `HOSTNAME` or `PORTAL`).
pub(super) fn is_nearly_ours(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    VARIABLES
        .iter()
        .any(|variable| strsim::normalized_damerau_levenshtein(&name, variable.name) > 0.8)
}
