//! Why a file is not taken.

use app::AccountError;
use domain::FieldError;

/// The reason; what the log says of it is [`Reason::code`], what the sender reads [`Reason::words`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Its name promises a kind that is not taken.
    Kind,
    /// The sender says it is something else than its name does, or says nothing.
    Declared(&'static str),
    /// Its bytes are not what its name says.
    NotWhatItSays,
    /// It has no bytes.
    Empty,
    /// It has more bytes than files of its kind may.
    TooLarge(u64),
    /// It has more pixels than a picture may.
    TooManyPixels(u64),
    /// It cannot be read to its end as what it is.
    Unreadable,
    /// It is two kinds of file at once.
    Polyglot,
    /// It unpacks to more than is taken.
    Bomb,
    /// There is an archive in it, or something that runs.
    Nested,
    /// It is encrypted, so nobody can look into it.
    Encrypted,
    /// The scanner found something.
    Harmful,
}

impl Reason {
    /// The word for log and metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Declared(_) => "declared-type",
            Self::NotWhatItSays => "magic-bytes",
            Self::Empty => "empty",
            Self::TooLarge(_) => "too-large",
            Self::TooManyPixels(_) => "too-many-pixels",
            Self::Unreadable => "unreadable",
            Self::Polyglot => "polyglot",
            Self::Bomb => "archive-bomb",
            Self::Nested => "nested",
            Self::Encrypted => "encrypted",
            Self::Harmful => "harmful",
        }
    }

    /// What would be right, for the sender.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Kind => {
                "Choose a picture (JPEG, PNG, WebP), a PDF, an office document or a text.".to_owned()
            }
            Self::Declared(media_type) => format!("Send a file of this name as {media_type}."),
            Self::NotWhatItSays => "Choose a file that is what its name says; this one is not.".to_owned(),
            Self::Empty => "Choose a file that is not empty.".to_owned(),
            Self::TooLarge(bytes) => format!("Choose a file of at most {}.", size(bytes)),
            Self::TooManyPixels(pixels) => {
                format!("Choose a picture of at most {} megapixels.", pixels / 1_000_000)
            }
            Self::Unreadable => "Choose another file: this one is damaged.".to_owned(),
            Self::Polyglot => "Choose another file: this one is two kinds of file at once.".to_owned(),
            Self::Bomb => "Choose another file: this one unpacks to more than is taken.".to_owned(),
            Self::Nested => "Choose a document without archives, programs or macros in it.".to_owned(),
            Self::Encrypted => "Choose a document without a password.".to_owned(),
            Self::Harmful => {
                "Choose another file: the scanner found something harmful in this one.".to_owned()
            }
        }
    }
}

impl From<Reason> for AccountError {
    fn from(reason: Reason) -> Self {
        Self::UploadRefused(vec![FieldError::new("/file", reason.words())])
    }
}

/// A number of bytes as people say it.
pub(crate) fn size(bytes: u64) -> String {
    const STEPS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let step = STEPS.into_iter().find(|(step, _)| bytes >= *step);
    step.map_or_else(
        || format!("{bytes} bytes"),
        |(step, unit)| {
            let tenths = bytes.saturating_mul(10) / step;
            if tenths.is_multiple_of(10) {
                format!("{} {unit}", tenths / 10)
            } else {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_as_people_say_them() {
        assert_eq!([10 << 20, 1_536, 17, 0].map(size), ["10 MiB", "1.5 KiB", "17 bytes", "0 bytes"]);
    }
}
