//! The list's query, read once for page and API.

use api::ticket::TicketQuery;
use app::Error;
use app::ticket::{Filter, FilterText, PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, Page};
use domain::{FieldError, TicketId};

use crate::cursor;

/// Turns a query into a filter.
///
/// # Errors
/// `invalid-ticket-filter`, naming every value that means nothing.
pub(crate) fn parse(query: &TicketQuery) -> Result<Filter, Error> {
    let text = FilterText {
        state: typed(query.state.as_ref()),
        priority: typed(query.priority.as_ref()),
        site: typed(query.site.as_ref()),
        words: typed(query.q.as_ref()),
    };
    let (filter, mut broken) = match Filter::parse(&text) {
        Ok(filter) => (filter, Vec::new()),
        Err(Error::InvalidFilter(broken)) => (Filter::default(), broken),
        Err(other) => return Err(other),
    };
    if text.words.contains(char::is_control) {
        broken.push(FieldError::new("/q", "use words without control characters"));
    }
    let cursor = typed(query.after.as_ref());
    let after = cursor::decode(cursor).map(|(at, id)| (at, TicketId::from_uuid(id)));
    if after.is_none() && !cursor.is_empty() {
        broken.push(FieldError::new("/after", "take the cursor from the page before"));
    }
    let limit = query.limit.unwrap_or(PAGE_LIMIT_DEFAULT);
    if !(1..=PAGE_LIMIT_MAX).contains(&limit) {
        broken.push(FieldError::new("/limit", format!("use 1 to {PAGE_LIMIT_MAX}")));
    }
    if broken.is_empty() { Ok(Filter { after, limit, ..filter }) } else { Err(Error::InvalidFilter(broken)) }
}

/// The cursor of the page behind this one.
pub(crate) fn next(page: &Page) -> Option<String> {
    let last = page.rows.last().filter(|_| page.has_more)?;
    Some(cursor::encode(last.created_at, last.id.as_uuid()))
}

/// Whether anything narrows the list.
pub(crate) fn is_set(query: &TicketQuery) -> bool {
    [&query.state, &query.priority, &query.site, &query.q]
        .into_iter()
        .any(|text| !typed(text.as_ref()).is_empty())
}

/// The address of the list with these filters at a place; without one, of its first page.
pub(crate) fn address(query: &TicketQuery, after: Option<&str>) -> String {
    let set = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let clean = TicketQuery {
        state: set(&query.state),
        priority: set(&query.priority),
        site: set(&query.site),
        q: set(&query.q),
        after: after.map(str::to_owned),
        limit: query.limit.filter(|limit| *limit != PAGE_LIMIT_DEFAULT),
    };
    let text = serde_urlencoded::to_string(clean).expect("a query holds texts and numbers only");
    if text.is_empty() { "/tickets".to_owned() } else { format!("/tickets?{text}") }
}

fn typed(text: Option<&String>) -> &str {
    text.map_or("", |text| text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> TicketQuery {
        serde_urlencoded::from_str(text).unwrap()
    }

    #[test]
    fn every_value_that_means_nothing_is_named() {
        let Err(Error::InvalidFilter(broken)) =
            parse(&query("state=LOST&priority=9&site=x&q=a%00b&after=!&limit=0"))
        else {
            panic!("six mistakes");
        };
        let pointers: Vec<&str> = broken.iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, ["/state", "/priority", "/site", "/q", "/after", "/limit"]);
    }

    #[test]
    fn empty_values_narrow_nothing() {
        let empty = query("q=&state=&priority=&site=&limit=25");
        assert_eq!(parse(&empty).unwrap(), Filter::default());
        assert!(!is_set(&empty));
        assert_eq!(address(&empty, None), "/tickets");
    }

    #[test]
    fn an_address_keeps_filters_and_drops_defaults() {
        let query = query("q=a+b%26c&state=OPEN&limit=50&after=old");
        assert_eq!(address(&query, Some("new")), "/tickets?state=OPEN&q=a+b%26c&after=new&limit=50");
    }
}
