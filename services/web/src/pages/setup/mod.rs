//! Pages with which administrators look after people, groups and the security log.

pub(crate) mod groups;
pub(crate) mod security;
pub(crate) mod support;
pub(crate) mod user;
pub(crate) mod users;

use std::fmt::Display;
use std::str::FromStr;

use service::Problem;

/// The fields of a form that may repeat, in the order of the browser.
pub(super) type Fields = Vec<(String, String)>;

/// Fields a form may have at most: more are no form of ours.
const FIELDS_MAX: usize = 1_000;

/// What is ticked under one name.
fn ticked<T>(fields: &Fields, name: &str) -> Result<Vec<T>, Problem>
where
    T: FromStr<Err: Display>,
{
    if fields.len() > FIELDS_MAX {
        return Err(Problem::malformed_body().because("the form has too many fields"));
    }
    let texts = fields.iter().filter(|(field, _)| field == name).map(|(_, text)| text);
    texts.map(|text| text.parse().map_err(|error| Problem::malformed_body().because(error))).collect()
}
