//! The queries of lists of tasks, read once for page and API.

use api::task::TaskQuery;
use app::Error;
use app::queue::{Narrowing, NarrowingText, PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, Page, Place};
use domain::FieldError;

use crate::cursor;
use crate::view::operate::Shown;

/// Turns a query into filters and a place in the list.
///
/// # Errors
/// `invalid-task-filter`, naming every value that means nothing.
pub(crate) fn parse(shown: Shown, query: &TaskQuery) -> Result<(Narrowing, Place), Error> {
    let text = NarrowingText {
        queue: typed(query.queue.as_ref()),
        kind: typed(query.kind.as_ref()),
        state: typed(query.state.as_ref()),
        tenant: typed(query.tenant.as_ref()),
    };
    let parsed = match shown {
        Shown::Live => Narrowing::of_live(&text),
        Shown::History => Narrowing::of_finished(&text),
        Shown::DeadLetters => Narrowing::of_dead_letters(&text),
    };
    let (narrowing, mut broken) = match parsed {
        Ok(narrowing) => (narrowing, Vec::new()),
        Err(Error::InvalidTaskFilter(broken)) => (Narrowing::default(), broken),
        Err(other) => return Err(other),
    };
    match place(query.after.as_ref(), query.limit) {
        Ok(place) if broken.is_empty() => return Ok((narrowing, place)),
        Ok(_) => {}
        Err(Error::InvalidTaskFilter(more)) => broken.extend(more),
        Err(other) => return Err(other),
    }
    Err(Error::InvalidTaskFilter(broken))
}

/// Reads where a page begins and how long it is.
///
/// # Errors
/// `invalid-task-filter`.
pub(crate) fn place(after: Option<&String>, limit: Option<u16>) -> Result<Place, Error> {
    let mut broken = Vec::new();
    let text = typed(after);
    let after = cursor::decode(text);
    if after.is_none() && !text.is_empty() {
        broken.push(FieldError::new("/after", "take the cursor from the page before"));
    }
    let limit = limit.unwrap_or(PAGE_LIMIT_DEFAULT);
    if !(1..=PAGE_LIMIT_MAX).contains(&limit) {
        broken.push(FieldError::new("/limit", format!("use 1 to {PAGE_LIMIT_MAX}")));
    }
    if broken.is_empty() { Ok(Place { after, limit }) } else { Err(Error::InvalidTaskFilter(broken)) }
}

/// The cursor of the page behind this one.
pub(crate) fn next<T>(page: &Page<T>) -> Option<String> {
    page.next.map(|next| cursor::encode(next.at, &next.id))
}

/// The address of a list with these filters at a place; without one, of its first page.
pub(crate) fn address(path: &str, query: &TaskQuery, after: Option<&str>) -> String {
    let set = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let clean = TaskQuery {
        queue: set(&query.queue),
        kind: set(&query.kind),
        state: set(&query.state),
        tenant: set(&query.tenant),
        after: after.map(str::to_owned),
        limit: query.limit.filter(|limit| *limit != PAGE_LIMIT_DEFAULT),
    };
    let text = serde_urlencoded::to_string(clean).expect("a query holds texts and numbers only");
    if text.is_empty() { path.to_owned() } else { format!("{path}?{text}") }
}

fn typed(text: Option<&String>) -> &str {
    text.map_or("", |text| text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> TaskQuery {
        serde_urlencoded::from_str(text).unwrap()
    }

    #[test]
    fn every_value_that_means_nothing_is_named() {
        let broken = query("state=LOST&tenant=x&kind=a%00b&after=!&limit=0");
        let Err(Error::InvalidTaskFilter(fields)) = parse(Shown::Live, &broken) else {
            panic!("five mistakes");
        };
        let pointers: Vec<&str> = fields.iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, ["/kind", "/tenant", "/state", "/after", "/limit"]);
    }

    #[test]
    fn an_address_keeps_filters_and_drops_defaults() {
        let query = query("queue=email&kind=&state=READY&limit=25&after=old");
        let path = Shown::Live.path();
        assert_eq!(
            address(path, &query, Some("new")),
            "/operate/tasks/live?queue=email&state=READY&after=new"
        );
        assert_eq!(address(path, &TaskQuery::default(), None), path);
    }
}
