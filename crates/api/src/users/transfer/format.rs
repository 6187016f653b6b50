//! The forms in which many users travel.

/// A form in which many users travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferFormat {
    /// A JSON object on each line.
    Ndjson,
    /// Comma-separated values (RFC 4180) under a header line, in UTF-8.
    Csv,
}

impl TransferFormat {
    /// Every form, the usual one first.
    pub const ALL: [Self; 2] = [Self::Ndjson, Self::Csv];

    /// How files of the form are called, and the end of their names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }

    /// The form of this name, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|form| form.name().eq_ignore_ascii_case(name))
    }

    /// The media type, without parameters.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
        }
    }

    /// The form of this media type.
    pub(crate) fn of_media_type(media_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.media_type() == media_type)
    }

    /// The media types of all forms, the usual one first.
    pub(crate) fn media_types() -> [&'static str; 2] {
        Self::ALL.map(Self::media_type)
    }

    /// What an answer says that it is.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => self.media_type(),
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}
